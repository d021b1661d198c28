"""The README names only settings that exist; docs/settings.md is generated."""

from pathlib import Path

from reelrank.app.settings import Settings


def test_the_readme_names_only_settings_that_exist() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text().replace("`", " ").split()
    named = {word.partition("=")[0].strip(".,()") for word in text if word.startswith("REELRANK_")}
    assert named <= {f"REELRANK_{name.upper()}" for name in Settings.model_fields}

"""Every setting is in docs/settings.md with its default and its meaning."""

from pathlib import Path

import pytest

from reelrank.app.settings import Settings

DOC = Path(__file__).parents[2] / "docs" / "settings.md"
HOW = "From the environment, or from the file `reelrank.env`; the environment wins."


def format_settings_table() -> str:
    rows = [
        f"| `REELRANK_{name.upper()}` | `{field.default}` | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows])


def test_the_settings_page_holds_every_setting_with_its_default_and_meaning(
    pytestconfig: pytest.Config,
) -> None:
    page = f"# Settings\n\n{HOW}\n\n{format_settings_table()}\n"
    if pytestconfig.getoption("--renew"):
        DOC.write_text(page)
    assert DOC.read_text() == page, "run `pytest tests/consistency --renew` and read the diff"


def test_the_readme_names_only_settings_that_exist() -> None:
    words = (Path(__file__).parents[2] / "README.md").read_text().replace("`", " ").split()
    named = {word.partition("=")[0].strip(".,()") for word in words if word.startswith("REELRANK_")}
    assert named <= {f"REELRANK_{name.upper()}" for name in Settings.model_fields}

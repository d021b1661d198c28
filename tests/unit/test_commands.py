"""Commands: each helps with an example, and says by its exit code whether all is well."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import app

GROUPS = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
COMMANDS = [
    f"{group}{command.name or command.callback.__name__}"
    for group, commands in GROUPS
    for command in (commands.registered_commands if commands else ())
    if command.callback
] + ["models"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert f"Example: reelrank {command}" in " ".join(result.output.replace("`", "").split())


def test_every_command_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert [c for c in COMMANDS if f"reelrank {c}" not in readme] == []


def test_the_doctor_of_an_empty_house_fails_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    assert "reelrank demo" in result.output


def test_promoting_a_model_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    assert CliRunner().invoke(app, ["promote", "nobody"]).exit_code == 1

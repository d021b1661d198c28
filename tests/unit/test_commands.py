"""Commands: each helps with an example, and says by its exit code whether all is well."""

import sys
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from reelrank.app.cli.main import app, main

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


def test_a_setting_that_makes_no_sense_is_named_as_it_was_set_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("REELRANK_EXPLORE_SLOTS", "-7")
    monkeypatch.setattr(sys, "argv", ["reelrank", "doctor"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "REELRANK_EXPLORE_SLOTS: Input should be greater than or equal to 0" in said
    assert "-7" not in said
    structlog.reset_defaults()  # `main` ties the log to the standard error of its test

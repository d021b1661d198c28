"""Commands: each has help with an example, and reports errors by exit code and by problem code."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from reelrank.app.cli.main import app, is_stated_path, main
from reelrank.app.cli.named_commands import MODULES, load_command
from reelrank.app.settings import Settings
from reelrank.app.web.problem_codes import load_problems
from reelrank.app.wiring import build_container
from reelrank.index_mappings.event import Event

GROUPS = {name: vars(load_command(name)).get("commands") for name in MODULES}
COMMANDS = [f"{name} {sub}" for name, group in GROUPS.items() for sub in group or ()]
COMMANDS += [name for name, group in GROUPS.items() if not group] + ["models"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert f"Example: reelrank {command}" in " ".join(result.output.replace("`", "").split())


WITHOUT_OPTION = {"serve", "users export", "experiments schema"}
"""The first reports nothing, the others print nothing but JSON."""


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in WITHOUT_OPTION])
def test_every_command_that_reports_something_has_json(command: str) -> None:
    assert "--json" in CliRunner().invoke(app, [*command.split(), "--help"]).output


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int | str | None, str]]]:
    """Runs a command in an empty directory; returns its exit code and its standard error."""
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str) -> tuple[int | str | None, str]:
        monkeypatch.setattr(sys, "argv", ["reelrank", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    yield run_command
    structlog.reset_defaults()  # `main` binds the log to the standard error of this test


Run = Callable[..., tuple[int | str | None, str]]


@pytest.mark.parametrize(
    ("command", "exit_code", "code"),
    [
        ("doctor", 1, "problems_found"),
        ("train", 1, "no_items_loaded"),
        ("evaluate", 1, "no_model_promoted"),
        ("exploration", 1, "no_exploration_data"),
        ("features", 1, "no_items_loaded"),
        ("search sea", 3, "no_index_version"),
        ("migrate", 1, "engine_not_configured"),
        ("load index", 1, "engine_not_configured"),
        ("load items nowhere.csv", 2, "source_not_found"),
        ("load items empty.csv", 1, "no_rows"),
        ("promote unknown", 1, "model_not_found"),
        ("models compile unknown", 1, "model_not_found"),
        ("models rollback", 1, "no_previous_release"),
        ("index promote unknown", 1, "index_version_not_found"),
        ("index drop unknown", 1, "index_version_not_found"),
        ("releases show unknown", 1, "release_not_found"),
        ("releases promote unknown", 1, "release_not_found"),
        ("releases rollback", 1, "no_previous_release"),
        ("kibana import", 2, "invalid_settings"),
        ("search sea --limit 0", 2, "invalid_usage"),
        ("search", 2, "invalid_usage"),
        ("nonsense", 2, "invalid_usage"),
    ],
)
def test_an_error_is_one_json_object_with_code_and_remedy(
    run: Run, command: str, exit_code: int, code: str
) -> None:
    Path("empty.csv").write_text("id,title\n")
    ended, printed = run(*command.split(), "--json")
    error = json.loads(printed.splitlines()[-1])
    assert (ended, error["code"]) == (exit_code, code)
    assert error.keys() == {"code", "message", "remedy"}
    assert error["message"]
    assert error["remedy"] == load_problems()[code].remedy
    assert load_problems()[code].exit_code == exit_code


@pytest.mark.parametrize("with_json", [(), ("--json",)])
@pytest.mark.parametrize("output", ["file/export.json", "folder"])
def test_an_output_that_cannot_be_written_is_no_traceback(
    run: Run, output: str, with_json: tuple[str, ...]
) -> None:
    Path("file").write_text("no folder")
    Path("folder").mkdir()
    ended, printed = run("load", "items", "films.csv", "--dry-run", "--report", output, *with_json)
    assert (ended, "Traceback" in printed) == (load_problems()["storage_failed"].exit_code, False)
    assert output.partition("/")[0] in printed


@pytest.mark.parametrize("name", ["", " ", "a\nb"])
def test_a_key_has_a_name(run: Run, name: str) -> None:
    ended, printed = run("keys", "create", name, "--scope", "read")
    assert ended == load_problems()["invalid_usage"].exit_code
    assert "the name of a key needs" in printed


def test_a_file_that_no_word_of_the_command_line_states_is_no_fault_of_its_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["reelrank", "users", "export", "x", "--output=there/x.json"])
    stated = ["there/x.json", "there", tmp_path / "there" / "x.json", "there/.tmp-7-x.json"]
    others = ["there/y.json", "elsewhere", tmp_path / "releases" / "x.json", None, 7]
    assert [is_stated_path(path) for path in [*stated, *others]] == [True] * 4 + [False] * 5


def test_a_stated_path_may_have_an_equals_sign(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["reelrank", "dt=2026-01-01/events.csv", "--report=dt=2026/report.json"])
    assert is_stated_path("dt=2026-01-01/events.csv")
    assert is_stated_path("dt=2026/report.json")
    assert not is_stated_path("dt=2026/other.json")


def test_an_unexpected_error_keeps_its_traceback_before_the_json(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_error(_options: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("reelrank.app.cli.data.diagnose", raise_error)
    ended, printed = run("doctor", "--json")
    assert (ended, json.loads(printed.splitlines()[-1])["code"]) == (1, "internal_error")
    assert "Traceback" in printed


def test_exploration_reports_each_surface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    at_ms = round(1000 * time.time()) - 60_000
    slot = {"position": 5, "came_from": 5, "propensity": 0.5}
    events = [
        Event(f"{n}", "impression", "u", at_ms, "a", request_id=f"r{n}", surface=surface, **slot)  # type: ignore[arg-type]  # one dict of both types
        for n, surface in enumerate(("home", "home", "similar"))
    ]
    build_container(Settings()).events.append(events)
    result = CliRunner().invoke(app, ["exploration", "--by", "surface", "--json"])
    report = json.loads(result.output)
    assert {surface: value["draws"] for surface, value in report.items()} == {"home": 2, "similar": 1}
    assert "surface: similar" in CliRunner().invoke(app, ["exploration", "--by", "surface"]).output


def test_without_json_an_error_is_one_line_for_people(run: Run) -> None:
    ended, printed = run("promote", "unknown")
    assert (ended, printed.count("\n")) == (1, 1)
    assert printed.startswith("error: there is no such model as 'unknown' ")
    ended, printed = run("load", "items", "nowhere.csv")
    assert (ended, printed.count("\n")) == (2, 1)
    assert printed.startswith("error: nowhere.csv ")
    ended, printed = run("search")
    assert ended == 2
    assert "Missing argument" in printed


def test_the_doctor_reports_under_its_names_and_those_of_the_last_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    output = CliRunner().invoke(app, ["doctor", "--json"]).output
    report, _ = json.JSONDecoder().raw_decode(output)
    assert (report["facts"], report["complaints"]) == (report["status"], report["problems"])
    assert report["problems"]


def test_a_text_to_search_for_may_look_like_an_option(run: Run) -> None:
    ended, printed = run("search", "--", "--json")
    assert ended == 3
    assert printed.startswith("error: ")


def test_an_invalid_setting_is_named_by_its_variable_without_its_value(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_EXPLORE_SLOTS", "-7")
    ended, printed = run("doctor")
    assert ended == 2
    assert "REELRANK_EXPLORE_SLOTS: Input should be greater than or equal to 0" in printed
    assert "-7" not in printed
    ended, printed = run("doctor", "--json")
    assert (ended, json.loads(printed)["code"]) == (2, "invalid_settings")


def test_the_help_lists_the_exit_codes() -> None:
    output = CliRunner().invoke(app, ["--help"]).output
    assert "Exit codes: 0 success; 1 failed or rejected" in " ".join(output.split())

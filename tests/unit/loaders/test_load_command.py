"""The command `reelrank load`, the guide docs/loading.md, and the item tables of loaded versions."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog
from typer.testing import CliRunner, Result

from reelrank.app.cli.main import app, main
from reelrank.app.jobs.loading import LoadRequest, load_items
from reelrank.app.search.page import RankingOptions
from reelrank.app.settings import Settings
from reelrank.app.state.item_tables import ItemTableStore
from reelrank.app.wiring import Container, build_container, warm_service
from reelrank.index_mappings.errors import CodedError
from reelrank.index_mappings.query import Query
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.files.source import open_source_files
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.journal import Journal, JournalEntry
from reelrank.loaders.report import FileReport
from reelrank.ranking.items.fold_in import FoldIn
from reelrank.ranking.items.table import open_table
from reelrank.ranking.progress import ignore_progress

GUIDE = Path(__file__).parents[3] / "docs" / "loading.md"


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path / "data"))
    yield tmp_path
    structlog.reset_defaults()  # `main` binds the log to the standard error of its test


def run(command: str) -> Result:
    return CliRunner().invoke(app, command.split()[1:])


def test_the_five_steps_of_the_guide_work_as_written() -> None:
    guide = GUIDE.read_text().split("## Files")[0]
    for name, body in re.findall(r"```csv (\S+)\n(.*?)```", guide, re.DOTALL):
        Path(name).write_text(re.sub(r"^ {3}", "", body, flags=re.MULTILINE))
    commands = re.findall(r"^ +(reelrank .*)$", guide, re.MULTILINE)
    results = {command: run(command) for command in commands}
    assert {command: result.exit_code for command, result in results.items()} == dict.fromkeys(commands, 0)
    assert "3 read = 3 would be written + 0 rejected" in results[commands[0]].output
    assert "The Old Harbour" in results["reelrank search harbour"].output
    assert build_container(Settings()).events.count() == 3


def test_standard_output_is_only_the_json_report() -> None:
    Path("films.csv").write_text("id,title,mood\nf1,One,dark\nf2,,light\n")
    result = run("reelrank load items films.csv --json --reject-share-max 0.5")
    report = json.loads(result.stdout)
    assert (report["read"], report["written"], report["rejected"]) == (2, 1, 1)
    assert report["unused"] == ["mood"]
    assert json.loads(Path(report["rejects"]).read_text())["reason"].startswith("title is missing")


@pytest.mark.parametrize("option", ["--dry-run", ""])
@pytest.mark.parametrize(
    ("command", "content", "code"),
    [
        ("items", "id,title\nf1,One\n,Two\n", "too_many_rejects"),
        ("items", "id,title\n", "no_rows"),
        ("items", "id,title,runtime\nf1,One,90\n", "duration_unit_missing"),
        ("events --kind watch", "user,item,at\nu1,f1,yesterday\n", "too_many_rejects"),
    ],
)
def test_a_refused_load_leaves_a_report_with_the_reason(
    command: str, content: str, code: str, option: str
) -> None:
    Path("rows.csv").write_text(content)
    kind, *options = command.split()
    result = run(f"reelrank load {kind} rows.csv {' '.join(options)} {option} --report report.json")
    assert isinstance(result.exception, CodedError)
    report = json.loads(Path("report.json").read_text())
    assert report["refused"] == {"code": code, "message": str(result.exception)}
    assert report["dry_run"] == bool(option)
    if option and code == "too_many_rejects":
        assert report["rejected"] == 1
        assert report["fields"]


@pytest.mark.parametrize(
    ("command", "content", "field"),
    [
        ("items", "id,title\nf1,One\n,Two\n", "title title 0 One"),
        ("events --kind watch", "user,item,at\nu1,f1,2026-11-01\nu1,f1,yesterday\n", "item item 0 f1"),
    ],
)
def test_a_refused_dry_run_shows_the_values_of_each_field(command: str, content: str, field: str) -> None:
    Path("rows.csv").write_text(content)
    kind, *options = command.split()
    result = run(f"reelrank load {kind} rows.csv {' '.join(options)} --dry-run")
    assert isinstance(result.exception, CodedError)
    assert field.split() in [line.split() for line in result.stdout.splitlines()]
    assert "would be written + 1 rejected" in result.stdout
    (rejects,) = Path("data").rglob("*.jsonl")
    assert f"rejected rows and their reasons: {rejects.resolve()}" in result.stdout
    as_json = run(f"reelrank load {kind} rows.csv {' '.join(options)} --dry-run --json")
    assert json.loads(as_json.stdout)["refused"]["code"] == "too_many_rejects"


@pytest.mark.parametrize(("option", "kept"), [("--dry-run", "would be kept"), ("", "are kept")])
def test_a_report_says_how_many_rows_repeat_an_id(option: str, kept: str) -> None:
    Path("films.csv").write_text("id,title\nf1,One\nf2,Two\nf1,Again\n")
    assert f"1 of the written repeat an id; 2 {kept}" in run(f"reelrank load items films.csv {option}").output


def test_the_closing_report_names_values_that_were_left_out() -> None:
    Path("films.csv").write_text("id,title,date\nf1,One,Unknown\nf2,Two,1999\n")
    output = run("reelrank load items films.csv").output
    assert "2 read = 2 written + 0 rejected" in output
    assert "unreadable values of published_at, left empty: 1; first: row 1: 'Unknown'" in output


@pytest.mark.parametrize(
    ("command", "exit_code", "code"),
    [
        ("reelrank load items nowhere.csv", 2, "source_not_found"),
        ("reelrank load items films.csv --map rating=mood", 2, "invalid_mapping"),
        ("reelrank load items films.csv", 1, "too_many_rejects"),
        ("reelrank load items films.csv --mapping nowhere.toml", 2, "invalid_mapping"),
    ],
)
def test_exit_codes_distinguish_rejected_loads_from_wrong_usage(
    command: str,
    exit_code: int,
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("films.csv").write_text("id,title,mood\nf1,One,dark\nf2,,light\n")
    monkeypatch.setattr("sys.argv", [*command.split(), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == exit_code
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["code"] == code


def test_a_rejected_load_names_the_first_rejected_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("films.csv").write_text("id,title\nf1,One\nf2,\n")
    monkeypatch.setattr("sys.argv", ["reelrank", "load", "items", "films.csv"])
    with pytest.raises(SystemExit):
        main()
    assert "refused: 1 of 2 rows were rejected" in capsys.readouterr().err


def test_events_in_the_future_are_rejected() -> None:
    soon = round(time.time() * 1000) + 3_600_000
    Path("e.csv").write_text(f"kind,user,item,at_ms\nwatch,ada,f1,{soon}\nwatch,ada,f1,{soon - 7_200_000}\n")
    result = run("reelrank load events e.csv --json --reject-share-max 0.5")
    assert (json.loads(result.stdout)["written"], json.loads(result.stdout)["rejected"]) == (1, 1)


def test_the_doctor_reports_a_stopped_load() -> None:
    Journal(Settings().loads_dir).path.parent.mkdir(parents=True)
    Journal(Settings().loads_dir).write_entry(JournalEntry("key", "items-9", "rejects.jsonl", read=3000))
    status = json.loads(run("reelrank doctor --json").stdout)["status"]
    assert (
        status["load under way or stopped"]
        == "3000 rows are in items-9; run the same command again to continue"
    )


def load_titles(container: Container, *titles: str) -> FileReport:
    Path("films.csv").write_text("\n".join(["id,title", *(f"{t},{t}" for t in titles)]))
    with open_source_files("films.csv", None) as (files, _):
        return load_items(container, LoadRequest(files, FieldRules(ITEM_FIELDS)), ignore_progress)


def test_item_tables_are_built_and_dropped_with_their_versions() -> None:
    container = build_container(Settings(index_keep=1))
    first = load_titles(container, "Sea", "War")
    second = load_titles(container, "Sea")
    tables = container.settings.tables_dir
    assert len(open_table(tables / second.version)) == 1
    assert (tables / first.version).exists()  # `releases rollback` may return to it
    load_titles(container, "Sea", "Sky")
    assert not (tables / first.version).exists()
    assert (tables / second.version).exists()


def test_the_next_version_keeps_the_fold_in_parameters() -> None:
    container = build_container(Settings())
    first = load_titles(container, "Sea")
    fold_in = FoldIn(np.eye(63, dtype=np.float32), 0.1, 2.0, 3.0)
    ItemTableStore(container.settings.tables_dir, container.engine).build(first.version, fold_in)
    loaded = open_table(container.settings.tables_dir / load_titles(container, "Sea", "War").version).fold_in
    assert loaded is not None
    assert (loaded.scale, loaded.gram.tolist()) == (3.0, fold_in.gram.tolist())


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_a_version_with_a_missing_or_damaged_table_still_serves(fault: str) -> None:
    container = build_container(Settings(deadline_ms=5000))
    version = load_titles(container, "Sea", "War").version
    table = container.settings.tables_dir / version
    if fault == "missing":
        shutil.rmtree(table)
    else:
        (table / "facts.json").write_text("{")
    page = warm_service(container).serve_page(RankingOptions(Query(text="sea")))
    assert [hit.item.title for hit in page.hits][:1] == ["Sea"]
    assert len(open_table(table)) == 2

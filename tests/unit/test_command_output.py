"""What commands print: the version at once, tables on 80 columns, names of misspelt settings."""

import io
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from reelrank.app.cli.console import CLOSED_PIPE_STATUS, show_progress_bars
from reelrank.app.cli.main import app
from reelrank.app.cli.tables.layout import Grid, print_grid, shorten_interval
from reelrank.app.cli.tables.quality import describe_gain, print_evaluation
from reelrank.app.diagnostics.setting_names import KNOWN, find_unknown_names, list_unknown_settings
from reelrank.app.wiring import build_release_manager
from reelrank.ranking.evaluation.comparison import Evaluation, MetricResult
from reelrank.ranking.evaluation.intervals import Interval
from tests.sample_project import add_model, build_project
from tests.unit.test_commands import COMMANDS

VERSION = "import sys; sys.argv = ['reelrank', '--version']; import reelrank_command; reelrank_command.main()"
LISTED = "; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def test_the_version_is_printed_without_the_imports_of_a_command() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", VERSION + LISTED], capture_output=True, text=True, check=True, timeout=60
    )
    version, modules = ended.stdout.splitlines()
    assert version == CliRunner().invoke(app, ["--version"]).output.strip()
    assert not {"numpy", "typer", "rich", "pyarrow"} & set(modules.split())


def test_without_a_terminal_each_stage_has_a_line_at_its_begin_and_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with show_progress_bars() as progress:
        progress("writing the index", 0, 2000)
        assert capsys.readouterr().err == "writing the index...\n"
        for done in (1000, 2000, 2000):
            progress("writing the index", done, 2000)
        for done in (1, 3):
            progress("reading events", done, None)
        progress("writing the index", 0, 10)
        progress("writing the index", 10, 10)
    lines = [re.sub(r"[0-9.]+ s$", "T s", line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "writing the index: 2,000 in T s", "reading events...", "reading events: 3 in T s",
        "writing the index...", "writing the index: 10 in T s",
    ]  # fmt: skip


def test_json_has_no_lines_of_progress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["reelrank", "train", "--json"])
    with show_progress_bars() as progress:
        progress("writing the index", 1, 1)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--version"], ["--help"], ["models", "--json"], ["evaluate"]])
def test_a_command_whose_reader_is_gone_ends_without_a_word(options: list[str], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "REELRANK_DATA_DIR": str(tmp_path)}
    errors = writer if options == ["evaluate"] else subprocess.PIPE  # it has nothing but an error to say
    command = [sys.executable, "-c", "import reelrank_command; reelrank_command.main()", *options]
    ended = subprocess.run(command, stdout=writer, stderr=errors, env=environment, check=False, timeout=60)
    os.close(writer)
    assert (ended.returncode, ended.stderr or b"") == (CLOSED_PIPE_STATUS, b"")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_helps_with_a_short_option(command: str) -> None:
    short, long = (CliRunner().invoke(app, [*command.split(), option]) for option in ("-h", "--help"))
    assert (short.exit_code, short.output) == (0, long.output)


def test_models_are_listed_by_a_command_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    outputs = [CliRunner().invoke(app, ["models", *rest, "--json"]).output for rest in ([], ["list"])]
    assert json.loads(outputs[0]) == json.loads(outputs[1]) == []


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_search_is_refused_as_over_http(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    assert CliRunner().invoke(app, ["search", text]).exit_code == 2


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=200), st.text(max_size=200)), min_size=1),
)
def test_a_table_has_one_line_a_row_and_fits_the_screen(rows: list[tuple[str, ...]]) -> None:
    text = io.StringIO()
    print_grid(Grid(("id", "film", "genres"), rows, ("film", "genres")), console=Console(file=text, width=80))
    lines = text.getvalue().split("\n")[:-1]
    assert len(lines) == len(rows) + 1
    assert max(map(cell_len, lines)) <= 80


def test_a_wide_table_cuts_nothing() -> None:
    text = io.StringIO()
    print_grid(Grid(("id", "film"), [("f1", "long " * 40)], ("film",)), True, Console(file=text, width=80))
    assert ("long " * 40).strip() in text.getvalue()


def test_an_interval_is_shortened_to_its_larger_half() -> None:
    assert shorten_interval("0.3155 [0.2917, 0.3401]") == "0.316±0.025"
    assert [shorten_interval(cell) for cell in ("-", "bm25")] == ["-", "bm25"]


def test_a_table_of_five_measures_fits_the_screen_whole() -> None:
    names = ("ndcg@10", "precision@10", "recall@100", "pairwise_loss", "logloss")
    results = [MetricResult("all", "lambdarank", name, Interval(0.1234, 0.1, 0.2)) for name in names]
    text = io.StringIO()
    print_evaluation(Evaluation("m1", {"all": 1000}, tuple(results), ()), False, Console(file=text, width=80))
    assert text.getvalue().count("0.123±0.077") == 5


def test_the_gain_of_a_model_is_one_sentence() -> None:
    gain, measured = Interval(0.021, 0.01, 0.03), Interval(0.3155, 0.29, 0.34)
    evaluation = Evaluation(
        "m1",
        {"all": 1000},
        (MetricResult("all", "lambdarank", "ndcg@10", measured),),
        (MetricResult("all", "lambdarank - fused", "ndcg@10", gain),),
    )
    sentence = describe_gain(evaluation, 61.4)
    assert "1,000 later requests" in sentence
    assert "+0.021 [+0.010, +0.030]" in sentence


def test_the_demo_ends_with_three_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = build_project(tmp_path, datetime(2026, 11, 24, tzinfo=UTC))
    build_release_manager(parts).promote_model(add_model(parts, "served", 1))
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("REELRANK_PORT", "8123")
    result = CliRunner().invoke(app, ["demo", "--no-serve"])
    *_, first, second, third = result.stdout.splitlines()
    assert first == "Everything is up to date; no step was repeated."
    assert str(tmp_path / "reports") in second
    assert "http://127.0.0.1:8123/" in third


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("REELRANK_PROT", "REELRANK_PORT"),
        ("REELRANK_DATADIR", "REELRANK_DATA_DIR"),
        ("reelrank_worker", "REELRANK_WORKERS"),
        ("REELRANK_ENGINE_PASSWROD", "REELRANK_ENGINE_PASSWORD"),
        ("REELRANK_XYZZY_QWERTZ", "docs/settings.md"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_nearest(
    name: str, nearest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "secret")
    (sentence,) = list_unknown_settings()
    assert (name in sentence, nearest in sentence, "secret" in sentence) == (True, True, False)
    monkeypatch.delenv(name)
    Path("reelrank.env").write_text(f"# {name}=1\nREELRANK_PORT=9\n{name}=secret\n")
    assert list_unknown_settings() == [sentence]


def test_known_settings_and_those_of_other_programs_are_not_named() -> None:
    kubernetes = ["REELRANK_SERVICE_HOST", "REELRANK_SERVICE_PORT_HTTP", "REELRANK_PORT_8080_TCP_ADDR"]
    assert find_unknown_names([*KNOWN, *kubernetes, "REELRANK_TEST_X", "PATH"]) == set()

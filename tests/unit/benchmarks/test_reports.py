"""The committed tables of engine, request and servers are those of the committed figures."""

import json
from pathlib import Path
from typing import Any

import pytest

import benchmarks
from benchmarks.engine.report import format_engine_report
from benchmarks.request.report import format_request_report
from benchmarks.servers.report import format_servers_report

RESULTS = Path(benchmarks.__file__).parent / "results"
REPORTS = {"engine": format_engine_report, "request": format_request_report, "servers": format_servers_report}
NAMES = sorted(path.stem for part in REPORTS for path in RESULTS.glob(f"{part}-*.json"))


def read_figures(name: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return figures


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_table_is_that_of_the_committed_figures(name: str, pytestconfig: pytest.Config) -> None:
    path, report = RESULTS / f"{name}.md", REPORTS[name.partition("-")[0]](read_figures(name)) + "\n"
    if pytestconfig.getoption("--renew"):
        path.write_text(report)
    assert path.read_text() == report, "run `pytest tests/unit/benchmarks --renew` and read the diff"


def test_every_benchmark_has_committed_figures() -> None:
    assert {name.partition("-")[0] for name in NAMES} == REPORTS.keys()


def test_every_row_of_a_table_has_as_many_cells_as_its_header() -> None:
    for name in NAMES:
        for block in (RESULTS / f"{name}.md").read_text().split("\n\n"):
            if block.startswith("|"):
                assert len({line.count("|") for line in block.splitlines()}) == 1


def test_a_missed_aim_is_named() -> None:
    figures = read_figures("engine-100000")
    figures["fetch_20"]["ours_p50"] = 3.5
    assert "Aim missed: fetch_20 / ours_p50 is 3.5, not at most 1.0" in format_engine_report(figures)

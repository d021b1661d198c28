"""The headline table: which rate is sustained, which goals are missed, and what stages leave over."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3

from benchmarks.headline import run
from benchmarks.headline.commands import run_pinned
from benchmarks.headline.costs import average_stages
from benchmarks.headline.goals import find_sustained, format_stages, list_missed
from benchmarks.process_tree import ProcessTree

RATES = {"1 worker": [(10, 20.0)], "2 workers": [(10, 20.0), (100, 90.0)]}
START = {"seconds": 3.0, "cpu_s": 4.0}


def build_point(rate: int, p99: float, failed: int = 0, degraded: int = 0) -> dict[str, Any]:
    return {
        "rate": rate,
        "sent": 100,
        "failed": failed,
        "degraded": degraded,
        "p50": 1.0,
        "p95": 2.0,
        "p99": p99,
    }


def build_figures(**changed: Any) -> dict[str, Any]:
    cost = {
        "kind": "home page",
        "sent": 9,
        "failed": 0,
        "cpu_ms": 9.0,
        "p50_ms": 8.0,
        "stages": {"score": 2.0},
    }
    rates = {name: [build_point(*point) for point in curve] for name, curve in RATES.items()}
    return {
        "rates": rates, "costs": [cost], "start": START, "version_s": 0.1, "memory_mib": 300.0, **changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("last", "rate"),
    [
        (build_point(20, 99.0), 20),
        (build_point(20, 101.0), 10),
        (build_point(20, 50.0, failed=1), 10),
        (build_point(20, 50.0, degraded=1), 10),
    ],
)
def test_the_highest_rate_without_late_failed_or_degraded_pages_is_sustained(
    last: dict[str, Any], rate: int
) -> None:
    assert find_sustained([build_point(10, 20.0), last, build_point(40, 500.0)])["rate"] == rate


def test_a_table_whose_goals_are_met_misses_none() -> None:
    assert list_missed(build_figures()) == []


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"rates": {"2 workers": [build_point(10, 20.0)]}}, "highest rate"),
        ({"rates": {"2 workers": [build_point(10, 200.0)]}}, "less than the lowest"),
        ({"start": START | {"cpu_s": 5.1}}, "start to the first answer"),
        ({"version_s": 0.31}, "--version"),
        ({"memory_mib": 401.0}, "memory"),
        ({"training_cpu_s": 61.0}, "reelrank train"),
        ({"costs": [build_figures()["costs"][0] | {"cpu_ms": 10.1}]}, "home page"),
        ({"costs": [build_figures()["costs"][0] | {"failed": 1}]}, "1 of 9 failed"),
    ],
)
def test_each_missed_goal_is_a_sentence(changed: dict[str, Any], what: str) -> None:
    (sentence,) = list_missed(build_figures(**changed))
    assert sentence.startswith("goal missed: ") and what in sentence


def test_what_no_stage_explains_is_a_row() -> None:
    assert "| the rest: HTTP, threads, recording, counting what was recorded | 7.0 |" in format_stages(
        build_figures()
    )


def test_stages_are_averaged_without_the_single_sources() -> None:
    headers = ["viewer;dur=1.00, source_bm25;dur=9.00, score;dur=2.00", "viewer;dur=3.00", ""]
    answers = [urllib3.HTTPResponse(headers={"Server-Timing": header}) for header in headers]
    assert average_stages(answers) == {"viewer": pytest.approx(4 / 3), "score": pytest.approx(2 / 3)}


def test_the_processor_time_of_children_counts() -> None:
    child = "sum(range(30_000_000))"
    command = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', '{child}; input()']).wait()"
    with subprocess.Popen([sys.executable, "-c", command], stdin=subprocess.PIPE) as process:
        tree = ProcessTree(process.pid)
        while tree.read_cpu_s() < 0.3:
            assert process.poll() is None
        assert tree.read_memory_mib() > 1
        assert tree.read_footprint().threads >= 2
        process.communicate(b"\n")


def test_a_service_runs_on_the_cores_that_it_was_given(tmp_path: Path) -> None:
    core, before = min(os.sched_getaffinity(0)), os.sched_getaffinity(0)
    command = (
        sys.executable,
        "-c",
        "import os, time; print(os.sched_getaffinity(0), flush=True); time.sleep(60)",
    )
    with run_pinned(command, {}, tmp_path / "log", [core]):
        while not (tmp_path / "log").read_text():
            pass
    assert (tmp_path / "log").read_text() == f"{{{core}}}\n"
    assert os.sched_getaffinity(0) == before


def test_without_a_demo_it_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--demo", str(tmp_path), "--small"]) == 2
    assert "`make run CHECK=1` makes one" in capsys.readouterr().err

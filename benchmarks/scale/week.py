"""`python -m benchmarks week`: simulated weeks, served over HTTP, measured as served and learned from.

For each seed a service answers viewers whose truth is known, for a week of simulated time, on a catalogue
without any history. Then its lake alone is measured, and the interval of click-through and watch time is
compared with what the truth expects of the pages that were served. Of the first seed a model is trained from
the lake, and serves the day after.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks.machine import describe_machine
from benchmarks.markdown import format_table
from benchmarks.scale.simulated_service import find_start, load_films, serve
from reelrank.app.clock import to_ms
from reelrank.app.diagnostics.smoke_test import read_log_tail
from reelrank.app.jobs.logged_pages import TrainingSource
from reelrank.app.jobs.served.pages import measure_logged_pages
from reelrank.app.jobs.training import TrainingRun, train
from reelrank.app.settings import Settings
from reelrank.app.simulation.films import Film, Films
from reelrank.app.simulation.report import Measure, TrafficReport
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions
from reelrank.app.wiring import build_container
from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.progress import ignore_progress

MEASURES = ("ctr", "watch_s_per_impression")
LEAST_COVERED = 0.9
"""The aim: 18 of 20 seeds. A 95 % interval that is right covers the truth in fewer with probability 7.5 %."""
RESULTS = Path(__file__).parents[1] / "results" / "week.json"


@dataclass(frozen=True, slots=True)
class WeekSize:
    """What is simulated. trained_viewers: of the first seed, which a model is trained from; 0 trains none."""

    seeds: int
    viewers: int
    days: float
    films: int
    trained_viewers: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measure of the lake, the mean that the simulator counted itself, and what the truth expects."""

    measured: Interval
    counted: float
    expected: float

    @property
    def is_covered(self) -> bool:
        return self.measured.low <= self.expected <= self.measured.high


@dataclass(frozen=True, slots=True)
class Week:
    """One seed. pages, failed: that were asked for. after: click-through that the truth expects on the last
    day of the week and on the day that the trained model served; None without training."""

    seed: int
    pages: int
    failed: int
    seconds: float
    measures: Mapping[str, Comparison]
    learned_from: str = ""
    after: tuple[float, float] | None = None


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if fewer than LEAST_COVERED of the intervals cover the truth, or a count differs, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks week", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="seeds 0 to N-1")
    parser.add_argument("--viewers", type=int, default=100, help="viewers of a seed")
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--films", type=int, default=300, help="films of the catalogue")
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no seed after so long; 0: no limit")
    parser.add_argument("--trained-viewers", type=int, default=450, help="viewers of the seed to learn from")
    parser.add_argument("--small", action="store_true", help="one seed, few viewers, a day; writes nothing")
    options = parser.parse_args(arguments)
    size = WeekSize(options.seeds, options.viewers, options.days, options.films, options.trained_viewers)
    if options.small:
        size = WeekSize(1, 40, 1.0, 120, 0)
    weeks = list(run_weeks(size, options.minutes * 60 or float("inf")))
    print(_format_weeks(weeks), flush=True)
    covered = {name: sum(week.measures[name].is_covered for week in weeks) for name in MEASURES}
    for name, count in covered.items():
        print(f"{name}: covered in {count} of {len(weeks)} seeds")
    if not options.small:
        _write_results(size, weeks, covered, " ".join(["python -m benchmarks week", *arguments]))
    is_exact = all(_is_exact(one) for week in weeks for one in week.measures.values())
    return int(not is_exact or min(covered.values()) < LEAST_COVERED * len(weeks))


def run_weeks(size: WeekSize, most_s: float) -> Iterator[Week]:
    """Yields a week of each seed that begins within most_s, each with a data directory of its own."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reelrank-week-") as folder:
        blank = Path(folder, "blank")
        films = load_films(blank, size.films)
        for seed in range(size.seeds):
            if time.monotonic() - began > most_s:
                break
            is_trained = bool(size.trained_viewers) and seed == 0
            data_dir = Path(folder, f"seed-{seed}")
            shutil.copytree(blank, data_dir)
            viewers = size.trained_viewers if is_trained else size.viewers
            options = TrafficOptions(seed, viewers, size.days, find_start(size.days))
            week = run_week(options, films, data_dir, is_trained)
            print(_format_week(week), flush=True)
            if not all(map(_is_exact, week.measures.values())):
                log = read_log_tail(data_dir / "serve.log")
                print(f"the lake does not hold what was counted; the end of the log:\n{log}", file=sys.stderr)
            yield week
            shutil.rmtree(data_dir)


def run_week(options: TrafficOptions, films: Sequence[Film], data_dir: Path, is_trained: bool) -> Week:
    """Serves a week, measures its lake and, if asked, trains from it and serves one day more."""
    began = time.monotonic()
    known, viewers = Films(options.seed), options.create_viewers()
    known.add(films)
    truth = GroundTruth(known, viewers)
    report = serve(options, truth, data_dir)
    measures = measure(report, options, data_dir)
    counts = report.to_json()
    week = Week(options.seed, counts["pages"], counts["failed_pages"], time.monotonic() - began, measures)
    if not is_trained:
        return week
    trained = learn(data_dir)
    day_after = replace(options, start_ms=options.end_ms, days=1.0, new_films=0)
    last, after = report.by_day[-1], serve(day_after, truth, data_dir).ctr.expected
    before = last["expected_clicks"] / max(last["impressions"], 1)
    return replace(week, learned_from=trained.learned_from, after=(before, after))


def measure(report: TrafficReport, options: TrafficOptions, data_dir: Path) -> dict[str, Comparison]:
    """Measures the lake as served, beside what the simulator counted and what the truth expects."""
    days = (to_ms(datetime.now(UTC)) - options.start_ms) / DAY_MS
    container = build_container(Settings(data_dir=data_dir))
    served = measure_logged_pages(container, days, ignore_progress)[0]  # of all viewers and surfaces
    simulated: Mapping[str, Measure] = report.as_served
    return {
        name: Comparison(served.measures[name], simulated[name].observed.mean, simulated[name].expected)
        for name in MEASURES
    }


def learn(data_dir: Path) -> TrainingRun:
    """Trains from the lake; the event store has nothing but what was simulated."""
    return train(build_container(Settings(data_dir=data_dir)), ignore_progress, TrainingSource.LAKE)


def _is_exact(one: Comparison) -> bool:
    return abs(one.measured.mean - one.counted) <= 1e-6 * max(abs(one.counted), 1.0)


def _format_weeks(weeks: Sequence[Week]) -> str:
    head = (
        "seed",
        "pages",
        "failed",
        *(f"{name}: {what}" for name in MEASURES for what in ("measured", "expected")),
    )
    rows = [
        (
            str(week.seed), f"{week.pages:,}", str(week.failed),
            *(cell for name in MEASURES for cell in _format_cells(week.measures[name])),
        )
        for week in weeks
    ]  # fmt: skip
    return format_table(head, rows)


def _format_cells(one: Comparison) -> tuple[str, str]:
    return str(one.measured), f"{one.expected:.4f}{'' if one.is_covered else ' (not covered)'}"


def _format_week(week: Week) -> str:
    cells = "; ".join(
        f"{name} {' expected '.join(_format_cells(one))}" for name, one in week.measures.items()
    )
    after = "" if week.after is None else f"; last day {week.after[0]:.4f}, trained {week.after[1]:.4f}"
    return f"seed {week.seed}: {week.pages:,} pages in {week.seconds:.0f} s; {cells}{after}"


def _write_results(size: WeekSize, weeks: Sequence[Week], covered: Mapping[str, int], command: str) -> None:
    figures: dict[str, Any] = {
        "command": command,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "size": asdict(size),
        "covered": covered,
        "weeks": [asdict(week) for week in weeks],
    }
    RESULTS.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

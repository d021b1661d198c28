"""`python -m benchmarks freshness`: what it is worth to train many times a day, by simulated viewers.

The same viewers, whose tastes drift by hour and week, and new films each day are served by a model that is
trained never again, daily, every four hours or hourly. Each learns from its own pages. Watch time and NDCG
are those that the truth expects of the pages that were shown.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.exploration.run import bound_mean
from benchmarks.loop.retrained import RetrainedRecommender
from benchmarks.machine import describe_machine
from benchmarks.markdown import format_table
from reelrank.app.simulation.behaviour import compute_log_odds, compute_truth
from reelrank.app.simulation.films import Films, make_films
from reelrank.app.simulation.recommenders import Pages
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.app.simulation.viewers import Visits
from reelrank.index_mappings.event import DAY_MS, HOUR_MS, MINUTE_MS
from reelrank.ranking.evaluation.intervals import Interval, average_by_group
from reelrank.ranking.progress import ignore_progress

INTERVALS: dict[str, int | None] = {
    "never": None, "daily": DAY_MS, "every four hours": 4 * HOUR_MS, "hourly": HOUR_MS,
}  # fmt: skip
START_MS = 20_000 * DAY_MS
WARM_UP_DAYS = 1
"""Served by popularity, until the first training; not counted."""
DEPTH = 10
SMOOTHED_HOURS = 12
RESULTS = Path(__file__).parents[1] / "results"
MEASURES = ("NDCG@10", "minutes watched of a page")
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FreshnessSize:
    """What is simulated. days: with the one before the first training."""

    seeds: int = 10
    viewers: int = 400
    films: int = 250
    days: float = 5.0
    new_films: int = 6


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """Pages [q] after the warm-up. seeds: of each page. values [q, MEASURES]. trainings: of all seeds."""

    hours: NDArray[np.int64]
    seeds: NDArray[np.int64]
    values: Values
    trainings: int
    cpu_s: float


class MeasuredRecommender(RetrainedRecommender):
    """Measures each page by the truth when it is shown."""

    def __init__(self, truth: GroundTruth, seed: int, interval_ms: int | None) -> None:
        super().__init__(truth.films, truth.viewers, seed, interval_ms)
        self._truth = truth
        self.pages: list[tuple[Visits, Values]] = []

    def recommend(self, visits: Visits, size: int) -> Pages:
        pages = super().recommend(visits, size)
        expected = self._truth.find_truth(visits, pages)
        minutes = expected.watched_ms.sum(axis=1) / MINUTE_MS
        ndcg = compute_true_ndcg(self._truth, visits, expected.attraction)
        self.pages.append((visits, np.column_stack([ndcg, minutes])))
        return pages


def compute_true_ndcg(truth: GroundTruth, visits: Visits, attraction: Values) -> Values:
    """Returns NDCG@10 [b] of pages with these probabilities of a click as gains, against all films."""
    films = truth.films
    rows = np.broadcast_to(np.arange(len(films)), (len(visits), len(films)))
    log_odds = compute_log_odds(truth.viewers.compute_tastes(visits), films, rows, visits.at_ms)
    best = compute_truth(log_odds, films, rows, np.zeros(rows.shape, np.bool_)).attraction
    discounts = 1 / np.log2(np.arange(DEPTH) + 2)
    ideal = -np.sort(-best, axis=1)[:, :DEPTH]
    return np.asarray((attraction[:, :DEPTH] @ discounts) / (ideal @ discounts))


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks freshness", description=__doc__)
    parser.add_argument("--small", action="store_true", help="one seed, few viewers; writes nothing")
    parser.add_argument("--seeds", type=int, default=FreshnessSize().seeds, help="seeds 0 to N - 1")
    options = parser.parse_args(argv)
    size = FreshnessSize(options.seeds)
    if options.small:
        size = FreshnessSize(1, 120, 120, 2.0)
    served = {name: serve(interval, size) for name, interval in INTERVALS.items()}
    table = f"{tabulate(served)}\n\n{tabulate_differences(served)}"
    print(table, flush=True)
    if not options.small:
        write_results(served, size, table, " ".join(["python -m benchmarks freshness", *argv]))
    return 0


def serve(interval_ms: int | None, size: FreshnessSize) -> Served:
    """Serves the viewers of all seeds by a model that is trained at an interval."""
    began, hours, seeds = time.process_time(), list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    values, trainings = list[Values](), 0
    for seed in range(size.seeds):
        options = TrafficOptions(seed, size.viewers, size.days, START_MS, new_films=size.new_films)
        films = Films(seed)
        films.add(make_films(seed, "film", size.films, START_MS - 100 * DAY_MS))
        truth = GroundTruth(films, options.create_viewers())
        recommender = MeasuredRecommender(truth, seed, interval_ms)
        run_traffic(options, truth, recommender, ignore_progress)
        trainings += recommender.trainings
        for visits, measured in recommender.pages:
            hours.append((visits.at_ms - START_MS) // HOUR_MS)
            seeds.append(np.full(len(visits), seed))
            values.append(measured)
    counted = np.concatenate(hours) >= 24 * WARM_UP_DAYS
    return Served(
        np.concatenate(hours)[counted],
        np.concatenate(seeds)[counted],
        np.concatenate(values)[counted],
        trainings,
        time.process_time() - began,
    )


def compare(one: Served, other: Served) -> list[Interval]:
    """Returns the difference of each measure, with a t interval over seeds; infinite with one seed.

    Viewers of a seed saw pages of the same models, so they are not independent.
    """
    names = [part.seeds.astype(np.str_) for part in (one, other)]
    means = [average_by_group(part.values, seeds) for part, seeds in zip((one, other), names, strict=True)]
    differences = means[0] - means[1]
    return [bound_mean(column) for column in differences.T]


def tabulate(served: dict[str, Served]) -> str:
    """Returns a table of means over pages."""
    rows = []
    for name, one in served.items():
        ndcg, minutes = one.values.mean(axis=0)
        counts = (str(one.trainings), f"{len(one.values):,}")
        rows.append((name, *counts, f"{ndcg:.4f}", f"{minutes:.2f}", f"{one.cpu_s:.0f}"))
    return format_table(("trained", "trainings", "pages", *MEASURES, "CPU seconds"), rows)


def tabulate_differences(served: dict[str, Served]) -> str:
    """Returns a table of differences, each to one that is trained less often."""
    names = tuple(served)
    pairs = [*((name, names[0]) for name in names[1:]), *((name, names[1]) for name in names[2:])]
    rows = [(f"{one} - {other}", *map(str, compare(served[one], served[other]))) for one, other in pairs]
    return format_table(("difference", *MEASURES), rows)


def average_by_hour(served: Served, hours: int) -> Values:
    """Returns means [hours, MEASURES] over the pages of SMOOTHED_HOURS up to each hour; NaN without any."""
    totals = np.zeros((hours, served.values.shape[1] + 1))
    np.add.at(totals, served.hours, np.column_stack([served.values, np.ones(len(served.hours))]))
    summed = np.cumsum(totals, axis=0)
    summed[SMOOTHED_HOURS:] = summed[SMOOTHED_HOURS:] - summed[:-SMOOTHED_HOURS]
    with np.errstate(invalid="ignore"):
        return np.asarray(summed[:, :-1] / np.where(summed[:, -1:] > 0, summed[:, -1:], np.nan))


def write_results(served: dict[str, Served], size: FreshnessSize, table: str, command: str) -> None:
    """Writes JSON, Markdown and the plot."""
    hours = round(24 * size.days)
    curves = {name: average_by_hour(one, hours) for name, one in served.items()}
    machine = describe_machine()
    figures = {
        "command": command,
        "machine": machine,
        "size": size,
        "smoothed_hours": SMOOTHED_HOURS,
        "by_hour": {name: np.round(curve, 4).tolist() for name, curve in curves.items()},
    }
    (RESULTS / "freshness.json").write_bytes(orjson.dumps(figures, option=orjson.OPT_APPEND_NEWLINE))
    note = f"`{command}`, {machine['cores']} cores ({machine['processor']}); seeds 0 to {size.seeds - 1}."
    (RESULTS / "freshness.md").write_text(f"{note}\n\n{table}\n")
    write_plot(curves, RESULTS / "freshness.svg")


def write_plot(curves: dict[str, Values], path: Path) -> None:
    """Draws both measures by hour, a line for each interval."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    colours = ("#595959", "#E69F00", "#0072B2", "#009E73")
    for number, ax in enumerate(figure.subplots(1, len(MEASURES))):
        for (name, curve), colour in zip(curves.items(), colours, strict=True):
            days = np.arange(len(curve)) / 24
            ax.plot(days, curve[:, number], color=colour, label=name, linewidth=1.4)
        ax.set_xlabel(f"days (means of {SMOOTHED_HOURS} hours)")
        ax.set_ylabel(MEASURES[number])
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(title="trained", frameon=False)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reelrank"}):
        figure.savefig(path, metadata={"Date": None}, facecolor="white")

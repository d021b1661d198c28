"""`python -m benchmarks drift`: false alarms on quiet data, small shifts that are found, and the cost.

Quiet: traffic of the simulator (`reelrank simulate`, in process, by popularity), a run of its own for each
seed, with its viewers divided at random into an earlier and a later half. Compared are features of the shown
films and of the viewers, clicks, and watched shares, as `reelrank drift` does.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.rates import bound_rate
from benchmarks.markdown import format_table
from reelrank.app.simulation.films import Film, Films, make_films
from reelrank.app.simulation.recommenders import Feedback, InProcessRecommender, Pages
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.app.simulation.viewers import Viewers, Visits
from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.drift.histograms import Profile, add_profiles, count_column, count_features
from reelrank.ranking.drift.report import (
    DriftReport,
    Kind,
    compare_kinds,
    compare_profiles,
)
from reelrank.ranking.evaluation.intervals import count_effective
from reelrank.ranking.progress import ignore_progress

QUIET_RUNS, ROWS_OF_SPEED = 200, 1_000_000
SMALL = 10
VIEWERS, DAYS, CATALOGUE = 600, 1.0, 300
FEATURES, ROWS, SHIFT = 60, 10_000, 0.2
T = TypeVar("T")
MAX_FALSE_RATE, MIN_FOUND_RATE, MAX_CPU_S = 0.01, 0.95, 10.0


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks drift", description=__doc__)
    parser.add_argument("--runs", type=int, default=0, help=f"by default {QUIET_RUNS}")
    parser.add_argument("--small", action="store_true", help=f"{SMALL} runs of each, a tenth of the rows")
    options = parser.parse_args(argv)
    runs = options.runs or (SMALL if options.small else QUIET_RUNS)
    missed = not report_quiet(runs)
    missed |= not report_shifts(runs)
    missed |= not report_cost(ROWS_OF_SPEED // (10 if options.small else 1))
    return int(missed)


def report_quiet(runs: int) -> bool:
    """Prints in how many quiet runs anything counts as drifted; returns whether the rate may be 1 %."""
    reports = [compare_halves(seed) for seed in range(runs)]
    alarms = [(seed, report) for seed, report in enumerate(reports) if report.drifted]
    low, high = bound_rate(len(alarms), runs)
    viewers = np.mean([sum(report.viewers) for report in reports])
    print(
        f"quiet runs of the simulator, {len(reports[0].series)} distributions, {viewers:,.0f} effective "
        f"viewers: {len(alarms)} of {runs} had a false alarm ({len(alarms) / runs:.1%}, 99 % interval "
        f"{low:.1%} to {high:.1%}); at most {MAX_FALSE_RATE:.0%} are meant"
    )
    rows = [(str(seed), one.name, f"{one.distance.psi:.3f}", f"{one.distance.p_value:.2g}")
            for seed, report in alarms for one in report.drifted]  # fmt: skip
    if rows:
        print(format_table(("seed", "distribution", "PSI", "p"), rows))
    return low <= MAX_FALSE_RATE


def report_shifts(runs: int) -> bool:
    """Prints how often one shifted feature is found, and named first."""
    found = first = others = 0
    names = tuple(f"feature_{n}" for n in range(FEATURES))
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        before, now = (rng.normal(size=(ROWS, FEATURES)).astype(np.float32) for _ in range(2))
        shifted = seed % FEATURES
        now[:, shifted] += SHIFT
        profiles = [Profile(count_features(part, names), viewers=ROWS) for part in (before, now)]
        drifted = [one.name for one in compare_profiles(profiles[0], profiles[1]).drifted]
        found += names[shifted] in drifted
        first += drifted[:1] == [names[shifted]]
        others += len(set(drifted) - {names[shifted]})
    low, high = bound_rate(first, runs)
    print(
        f"a shift of {SHIFT} standard deviations in one of {FEATURES} features, {ROWS:,} rows by as many "
        f"viewers: found in {found} of {runs}, named first in {first} ({first / runs:.1%}, 99 % interval "
        f"{low:.1%} to {high:.1%}); {others} other features named"
    )
    return high >= MIN_FOUND_RATE


def report_cost(rows: int) -> bool:
    """Prints the CPU time to count rows and to compare them with others."""
    rng, names = np.random.default_rng(0), tuple(f"feature_{n}" for n in range(FEATURES))
    chunk = rng.normal(size=(min(rows, 100_000), FEATURES)).astype(np.float32)
    began = time.process_time()
    parts = [Profile(count_features(chunk, names), viewers=len(chunk)) for _ in range(rows // len(chunk))]
    counted = time.process_time()
    compare_profiles(add_profiles(parts[: len(parts) // 2 or 1]), add_profiles(parts))
    ended = time.process_time()
    print(
        f"{rows:,} rows by {FEATURES} features: counted in {counted - began:.1f} CPU s, compared in "
        f"{ended - counted:.1f}; {MAX_CPU_S:.0f} s for a million are meant"
    )
    return ended - began <= MAX_CPU_S


@dataclass(slots=True)
class RecordedTraffic:
    """Serves by popularity and keeps what was shown: viewers, features, clicks and watched shares."""

    recommender: InProcessRecommender
    films: Films
    viewers: Viewers
    parts: list[tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]] = field(
        default_factory=list
    )

    def recommend(self, visits: Visits, size: int) -> Pages:
        return self.recommender.recommend(visits, size)

    def observe(self, feedback: Feedback) -> None:
        self.recommender.observe(feedback)
        rows, seen = feedback.pages.rows, feedback.reactions.is_viewed
        visit, position = np.nonzero(seen)
        film, tastes = rows[seen], self.viewers.compute_tastes(feedback.visits)[visit]
        factors = self.films.factors[film]
        age = feedback.visits.at_ms[visit] - self.films.published_ms[film]
        singles = np.column_stack(
            [
                (factors * tastes).sum(axis=1),
                self.films.appeal[film],
                self.films.duration_ms[film],
                age,
                position,
            ]
        )
        features = np.hstack([factors, tastes, factors * tastes, singles]).astype(np.float32)
        clicked, shares = feedback.reactions.is_clicked[seen], feedback.reactions.shares[seen]
        labels = np.column_stack([clicked, np.where(clicked, shares, np.nan)]).astype(np.float32)
        self.parts.append((feedback.visits.rows[visit], features, labels))

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        self.recommender.publish(films, at_ms)

    def advance(self, now_ms: int) -> None:
        self.recommender.advance(now_ms)


def compare_halves(seed: int) -> DriftReport:
    """Simulates traffic, and compares two random halves of its viewers."""
    options = TrafficOptions(seed, VIEWERS, DAYS, 20_000 * DAY_MS, new_films=0)
    films, viewers = Films(seed), options.create_viewers()
    films.add(make_films(seed, "film", CATALOGUE, options.start_ms - 100 * DAY_MS))
    traffic = RecordedTraffic(InProcessRecommender("popular", films, viewers, seed), films, viewers)
    run_traffic(options, GroundTruth(films, viewers), traffic, ignore_progress)
    who, features, labels = (np.concatenate(column) for column in zip(*traffic.parts, strict=True))
    is_later = np.random.default_rng([seed, 1]).random(len(viewers)) < 0.5
    halves = [is_later[who] == half for half in (False, True)]
    names = [f"feature_{n}" for n in range(features.shape[1])]
    return compare_kinds(
        {
            Kind.FEATURES: _pair([Profile(count_features(features[half], names)) for half in halves]),
            Kind.LABELS: _pair([_count_labels(labels[half]) for half in halves]),
        },
        _pair([count_effective(np.bincount(who[half])) for half in halves]),
    )


def _count_labels(labels: NDArray[np.float32]) -> Profile:
    clicked, shares = labels.T
    return Profile({"clicked": count_column(clicked), "share": count_column(shares[~np.isnan(shares)])})


def _pair(values: list[T]) -> tuple[T, T]:
    first, second = values
    return first, second

"""`python -m benchmarks watch`: how often the watch rolls a good release back, and how often a harmful one.

Pages of the simulator (`reelrank simulate`, in process, at random): three days of one and the same
recommender, of which the last counts as the release that was promoted. It is looked at every four hours, as
the loop does. A harmful one loses a share of its used pages at random.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.experiments.rates import bound_rate
from benchmarks.markdown import format_table
from reelrank.app.loop.watching import ServedPages, compare_releases, select_compared
from reelrank.app.simulation.films import Film, Films, make_films
from reelrank.app.simulation.recommenders import Feedback, InProcessRecommender, Pages
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.app.simulation.viewers import Visits
from reelrank.index_mappings.event import DAY_MS, HOUR_MS
from reelrank.ranking.progress import ignore_progress

RUNS, SMALL_RUNS = 100, 10
VIEWERS, CATALOGUE, DAYS = 600, 300, 3.0
START_MS = 20_000 * DAY_MS
SINCE_MS = START_MS + 2 * DAY_MS
LOOKS = tuple(range(4, 25, 4))
"""Hours after the promotion."""
LOSS = 0.2
"""Default of REELRANK_WATCH_LOSS."""
HARMS = (0.0, 0.3, 0.5, 0.7)
MAX_FALSE_RATE, MIN_FOUND_RATE = 0.05, 0.95
"""The second for the greatest of HARMS."""


@dataclass(slots=True)
class RecordedPages:
    """Serves at random and keeps what became of each page: viewer, time, clicks and seconds watched."""

    recommender: InProcessRecommender
    viewers: Sequence[str]
    rows: list[tuple[str, int, float, float]] = field(default_factory=list)

    def recommend(self, visits: Visits, size: int) -> Pages:
        return self.recommender.recommend(visits, size)

    def observe(self, feedback: Feedback) -> None:
        self.recommender.observe(feedback)
        clicked = feedback.reactions.is_clicked
        watched_ms = np.where(clicked, feedback.reactions.shares * feedback.duration_ms, 0.0).sum(axis=1)
        columns = (feedback.visits.rows, feedback.visits.at_ms, clicked.sum(axis=1), watched_ms / 1000)
        for viewer, at_ms, clicks, watched_s in zip(*(part.tolist() for part in columns), strict=True):
            self.rows.append((self.viewers[viewer], at_ms, clicks, watched_s))

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        self.recommender.publish(films, at_ms)

    def advance(self, now_ms: int) -> None:
        self.recommender.advance(now_ms)


def main(argv: Sequence[str]) -> int:
    """Returns 1 if good releases are certainly rolled back too often, or the worst certainly too seldom."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks watch", description=__doc__)
    parser.add_argument("--runs", type=int, default=0, help=f"by default {RUNS}")
    parser.add_argument("--small", action="store_true", help=f"{SMALL_RUNS} runs")
    options = parser.parse_args(argv)
    runs = options.runs or (SMALL_RUNS if options.small else RUNS)
    found = np.zeros((runs, len(HARMS)), bool)
    changes = np.zeros(runs)
    for seed in range(runs):
        pages = simulate_pages(seed)
        changes[seed] = measure_change(pages)
        found[seed] = [is_rolled_back(lose(pages, harm, seed)) for harm in HARMS]
    error = changes.std(ddof=1) / runs**0.5
    print(
        f"{runs} promotions of a release like the one before, {VIEWERS} viewers: watch time a page changed "
        f"by {changes.mean():+.1%} on average (standard error {error:.1%})"
    )
    intervals = [bound_rate(int(each.sum()), runs) for each in found.T]
    rows = [
        (f"{harm:.0%}", f"{each.sum()} of {runs}", f"{low:.1%} to {high:.1%}")
        for harm, each, (low, high) in zip(HARMS, found.T, intervals, strict=True)
    ]
    print(format_table(("lost", f"rolled back within {LOOKS[-1]} hours", "99 % interval"), rows), flush=True)
    return int(intervals[0][0] > MAX_FALSE_RATE or intervals[-1][1] < MIN_FOUND_RATE)


def simulate_pages(seed: int) -> ServedPages:
    """Returns three days of pages of one recommender; the last day as if by another release."""
    options = TrafficOptions(seed, VIEWERS, DAYS, START_MS, new_films=0)
    films, viewers = Films(seed), options.create_viewers()
    films.add(make_films(seed, "film", CATALOGUE, START_MS - 100 * DAY_MS))
    recorded = RecordedPages(InProcessRecommender("random", films, viewers, seed), viewers.ids)
    run_traffic(options, GroundTruth(films, viewers), recorded, ignore_progress)
    users, at_ms, clicked, watched_s = (np.array(column) for column in zip(*recorded.rows, strict=True))
    nothing, zeros = np.full(len(users), ""), np.zeros(len(users))
    return ServedPages(
        users, np.where(at_ms >= SINCE_MS, "new", "old"), nothing, nothing, at_ms, zeros,
        clicked.astype(np.float64), watched_s, zeros, zeros > 0, zeros > 0, zeros > 0,
    )  # fmt: skip


def lose(pages: ServedPages, harm: float, seed: int) -> ServedPages:
    """Returns the pages with nothing used on a share of those of the new release."""
    is_lost = np.random.default_rng([seed, 1]).random(len(pages.at_ms)) < harm
    kept = ~(is_lost & (pages.releases == "new"))
    return replace(pages, clicked=pages.clicked * kept, watched_s=pages.watched_s * kept)


def is_rolled_back(pages: ServedPages) -> bool:
    """Returns whether a check fails at any look."""
    for hours in LOOKS:
        seen = pages.select(pages.at_ms < SINCE_MS + hours * HOUR_MS)
        if not all(check.passed for check in compare_releases(*select_new_and_old(seen), LOSS)):
            return True
    return False


def measure_change(pages: ServedPages) -> float:
    """Returns the change of watch time a page, as a share, at the last look."""
    rates = [float(part.watched_s.mean()) for part in select_new_and_old(pages)]
    return rates[0] / rates[1] - 1


def select_new_and_old(pages: ServedPages) -> tuple[ServedPages, ServedPages]:
    since = datetime.fromtimestamp(SINCE_MS / 1000, UTC)
    return select_compared(pages, ("new", "old"), since, timedelta(days=1))

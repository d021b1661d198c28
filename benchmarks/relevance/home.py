"""Home pages beside EASE, recent popularity, item-kNN and ALS, in three readings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.relevance.readings import (
    HELD_OUT_SHARE,
    SERVED,
    HomePlan,
    JudgedPages,
    find_last_watch,
    hold_out_last,
    judge_by_all_later,
    rank_returning_viewers,
    rank_window,
    train_model,
)
from reelrank.app.jobs.history import History, split_by_time
from reelrank.index_mappings.event import DAY_MS, MAX_TIME_MS
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.embeddings.watches import select_watches
from reelrank.ranking.evaluation.baselines import (
    POPULARITY,
    PastPages,
    choose_baseline_half_life,
    measure_ndcg,
    rank_by_baselines,
    rank_by_popularity,
    sample_pages,
)
from reelrank.ranking.evaluation.intervals import (
    MIN_VIEWERS,
    Interval,
    Verdict,
    average_by_group,
    bootstrap_intervals,
    judge_difference,
)
from reelrank.ranking.progress import Progress

PLAN, SMALL_PLAN = HomePlan(2500, 8, 10**6), HomePlan(600, 2, 250)
DAY, LATER, HELD_OUT = "a", "b", "c"
READINGS = {
    DAY: "watched within a day of the page",
    LATER: "everything watched later",
    HELD_OUT: f"each viewer's own last {HELD_OUT_SHARE:.0%}, asked at the end of the history",
}
YEAR_MS = 365 * DAY_MS
AWAY = {"active within two years": (0, 2 * YEAR_MS), "away for more than eight years": (8 * YEAR_MS, 2**62)}


@dataclass(frozen=True, slots=True)
class HomeResult:
    """NDCG@10 of one system in one reading; difference: the served order minus it, paired by viewer."""

    reading: str
    system: str
    viewers: int
    pages: int
    ndcg: Interval
    difference: Interval | None
    verdict: Verdict | None


def measure_home(
    history: History, plan: HomePlan, readings: Sequence[str], progress: Progress
) -> list[HomeResult]:
    """Trains and ranks once for readings a and b, and once more for c. Relevance is binary."""
    results = []
    if DAY in readings or LATER in readings:
        results += [
            result for result in _measure_window(history, plan, progress) if result.reading[0] in readings
        ]
    if HELD_OUT in readings:
        results += _measure_held_out(history, plan, progress)
    return results


def _measure_window(history: History, plan: HomePlan, progress: Progress) -> list[HomeResult]:
    watches = select_watches(history.events, MAX_TIME_MS)
    learned_from = select_watches(history.events, history.evaluation_ms)
    half_life = choose_baseline_half_life(
        learned_from, *sample_pages(learned_from, (history.training_ms, history.evaluation_ms))
    )
    pages = rank_window(history, train_model(history, plan, progress), plan, progress)
    systems = rank_by_baselines(learned_from, pages.past)
    systems[f"{POPULARITY}, {half_life:g} days"] = rank_by_popularity(watches, pages.past, half_life)
    later = judge_by_all_later(pages, watches)
    return [*compare_systems(DAY, pages, systems), *compare_systems(LATER, later, systems)]


def _measure_held_out(history: History, plan: HomePlan, progress: Progress) -> list[HomeResult]:
    kept, held_out = hold_out_last(history.events)
    earlier = split_by_time(replace(history, events=kept))
    users = np.random.default_rng(0).permutation(sorted(held_out))[: plan.viewers]
    ranker = train_model(earlier, plan, progress)
    chosen = {str(user): held_out[str(user)] for user in np.sort(users)}
    pages = rank_returning_viewers(earlier, chosen, ranker, progress)
    watches = select_watches(kept, MAX_TIME_MS)
    half_life = _choose_held_out_half_life(earlier)
    systems = rank_by_baselines(watches, pages.past)
    systems[f"{POPULARITY}, {half_life:g} days"] = rank_by_popularity(watches, pages.past, half_life)
    results = compare_systems(HELD_OUT, pages, systems)
    away_ms = pages.past.at_ms - find_last_watch(pages, watches)
    for name, (low, high) in AWAY.items():
        rows = np.flatnonzero((away_ms >= low) & (away_ms < high))
        if len(rows):
            parts = {system: [ranked[row] for row in rows.tolist()] for system, ranked in systems.items()}
            results += compare_systems(f"{HELD_OUT}, {name}", pages.take(rows), parts)
    return results


def _choose_held_out_half_life(history: History) -> float:
    """Holds out the last watches of what is left once more, and chooses on those."""
    kept, held_out = hold_out_last(history.events)
    watches = select_watches(kept, MAX_TIME_MS)
    seen = [watches.item_ids[watches.items[watches.users == code]]
            for code in np.searchsorted(watches.user_ids, list(held_out)).tolist()]  # fmt: skip
    past = PastPages(np.full(len(held_out), history.end_ms), seen)
    return choose_baseline_half_life(watches, past, list(held_out.values()))


def compare_systems(
    reading: str, pages: JudgedPages, baselines: Mapping[str, Sequence[ItemIds]]
) -> list[HomeResult]:
    """Returns NDCG@10 of the orders of the pages and of the baselines, each beside the served order."""
    systems = {**pages.ranked, **baselines}
    values = np.column_stack([measure_ndcg(ranked, pages.relevant) for ranked in systems.values()])
    by_viewer = average_by_group(values, pages.users)
    viewers = len(by_viewer)
    served = by_viewer[:, [list(systems).index(SERVED)]]
    means, gaps = bootstrap_intervals(by_viewer), bootstrap_intervals(served - by_viewer)
    name = f"{reading}: {READINGS[reading]}" if reading in READINGS else reading
    results = []
    for system, mean, gap in zip(systems, means, gaps, strict=True):
        verdict = judge_difference(gap, viewers, MIN_VIEWERS)
        against = (None, None) if system == SERVED else (gap, verdict)
        results.append(HomeResult(name, system, viewers, len(values), mean, *against))
    return results

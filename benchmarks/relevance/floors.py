"""What the suite must reach. The floors of a small run are lower by the noise of its fewer queries."""

from collections.abc import Sequence

from benchmarks.quality.report import Goal
from benchmarks.relevance.collection import CollectionResult
from benchmarks.relevance.home import HomeResult
from benchmarks.relevance.titles import SameAtAnyHour
from reelrank.app.jobs.known_items import BASELINE
from reelrank.ranking.evaluation.baselines import ITEM_KNN
from reelrank.ranking.evaluation.intervals import MARGIN, MIN_QUERIES, MIN_VIEWERS, Interval
from reelrank.ranking.evaluation.known_items import WATCH_BANDS, KnownItemResult

FIRST = {
    "exact": 0.975,
    "capitals": 0.975,
    "decomposed": 0.975,
    "typo": 0.85,
    "prefix": 0.65,
    "title and year": 0.97,
    "person and word": 0.94,
    "person": 0.95,
    **dict.fromkeys(WATCH_BANDS, 0.975),
}
"""Success@1 of the served, the untrained and the degraded order; for `person` the share of the first ten."""
THIRD = {"typo": 0.93, "prefix": 0.80}
"""Success@3 of the same."""
BM25_EXACT, BM25_SCIFACT = 0.955, 0.66
SAME_AT_ANY_HOUR = 0.98
DEVIATIONS = 2.33
"""One run in a hundred falls so many standard deviations below its mean by chance."""


def check_titles(results: Sequence[KnownItemResult]) -> list[Goal]:
    """Returns a goal for each kind of query and system that has a floor, and not to be worse than BM25."""
    goals = []
    for result in results:
        name = f"{result.kind}, {result.system}"
        if result.system == BASELINE:
            if result.kind == "exact":
                goals.append(_require_share(f"{name}, first", result.first.mean, BM25_EXACT, result.queries))
            continue
        if result.kind in FIRST:
            goals.append(
                _require_share(f"{name}, first", result.first.mean, FIRST[result.kind], result.queries)
            )
        if result.kind in THIRD:
            goals.append(
                _require_share(f"{name}, in three", result.third.mean, THIRD[result.kind], result.queries)
            )
        if result.difference is not None:
            goals.append(_require_not_worse(name, result))
    return goals


def check_hours(result: SameAtAnyHour) -> Goal:
    """Returns the goal for the share of searches that have the same first three at any hour."""
    return _require_share("the same first three at any hour", result.share, SAME_AT_ANY_HOUR, result.queries)


def check_collection(results: Sequence[CollectionResult]) -> list[Goal]:
    """Returns the goals of SciFact: BM25's own level, and that no order is certainly below it."""
    goals = []
    for result in results:
        if result.difference is None:
            if result.case == "as written":
                minimum = BM25_SCIFACT - (result.ndcg.mean - result.ndcg.low if result.queries < 300 else 0)
                goals.append(Goal("SciFact, bm25, NDCG@10", result.ndcg.mean, minimum))
        else:
            name = f"SciFact, {result.case}, {result.system}: upper end of the interval minus BM25"
            goals.append(Goal(name, result.difference.high, 0))
    return goals


def check_similar(results: Sequence[HomeResult]) -> list[Goal]:
    """Returns the goal that pages of similar items are not worse than item-kNN."""
    return [
        _require_no_loss(f"similar items minus {ITEM_KNN}", result.difference, result.viewers >= MIN_VIEWERS)
        for result in results
        if result.system == ITEM_KNN and result.difference is not None
    ]


def _require_share(name: str, value: float, minimum: float, queries: int) -> Goal:
    """Requires a share; below MIN_QUERIES the floor is lower by the noise of so few queries."""
    noise = DEVIATIONS * (minimum * (1 - minimum) / max(queries, 1)) ** 0.5
    return Goal(name, value, minimum - (noise if queries < MIN_QUERIES else 0))


def _require_not_worse(name: str, result: KnownItemResult) -> Goal:
    if result.difference is None:
        raise ValueError(f"{name} has no baseline")
    return _require_no_loss(f"{name}, minus BM25", result.difference, result.queries >= MIN_QUERIES)


def _require_no_loss(name: str, difference: Interval, is_large: bool) -> Goal:
    """Requires non-inferiority of a large sample; of a small one, not to be certainly worse."""
    if is_large:
        return Goal(f"{name}: lower end of the interval", difference.low, -MARGIN)
    return Goal(f"{name}: upper end of the interval", difference.high, 0)

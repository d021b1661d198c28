"""Measures of logged pages as they were served: what viewers saw, and what they did then and later.

Nothing is ranked again. Intervals resample viewers, whose pages are not independent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.ranking.arrow_columns import find_indices, to_array, to_floats, to_texts
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_ratio
from reelrank.ranking.evaluation.judged_request import PAST_WATCHES
from reelrank.ranking.evaluation.served.wanted import (
    CUTOFF,
    ServedPages,
    ServedRules,
    count_past_watches,
    find_wanted,
    sum_by_request,
)

MEASURES = ("ctr", "watch_s_per_impression", "skip_rate", "precision@10", "ndcg@10")
"""ctr: of seen impressions, the share that was clicked or played. watch_s_per_impression: seconds watched of
a seen impression. skip_rate: of the plays, the share of quick skips. precision@10: wanted items among the
first ten shown, divided by ten. ndcg@10: of requests after which the viewer wanted something."""
ALL_SURFACES, EXPLORED, SIMULATED = "all", "explored slots", "simulated: "


@dataclass(frozen=True, slots=True)
class ServedQuality:
    """The measures of one slice: a surface, viewers by past watches, or simulated ones.

    answered: requests after which the viewer wanted something. viewers: how many are resampled.
    seen_known_share: of the impressions, those whose page reported what was on the screen. Measures without
    any row to measure are left out.
    """

    surface: str
    requests: int
    answered: int
    viewers: int
    impressions: int
    seen_known_share: float
    measures: Mapping[str, Interval]


def measure_served(
    pages: ServedPages, rules: ServedRules | None = None, seed: int = 0
) -> list[ServedQuality]:
    """Measures all requests, those of each surface, and those of viewers by how much they had watched.

    Pages of simulated viewers are measured apart, after the others and under names of their own. Raises
    ValueError without requests.
    """
    if not len(pages.requests):
        raise ValueError("there are no logged requests in this span")
    return measure_slices(pages, list_slices(pages), rules, seed)


def measure_slices(
    pages: ServedPages,
    slices: Mapping[str, NDArray[np.bool_]],
    rules: ServedRules | None = None,
    seed: int = 0,
) -> list[ServedQuality]:
    """Measures slices, each given as its requests [q] by name; leaves out those without requests."""
    totals = _measure_requests(pages, rules or ServedRules())
    groups = pages.name_viewers()
    return [
        _summarize(name, totals.select(mask), groups[mask], seed)
        for name, mask in slices.items()
        if mask.any()
    ]


def list_slices(pages: ServedPages) -> dict[str, NDArray[np.bool_]]:
    """Returns which requests [q] are in each slice that is measured, by its name; some may be empty."""
    surfaces, watched = to_texts(pages.requests["surface"]), count_past_watches(pages)
    is_simulated = pages.find_simulated()
    slices = {ALL_SURFACES: np.ones(len(surfaces), bool)}
    slices |= {str(name): surfaces == name for name in np.unique(surfaces)}
    slices |= {name: (low <= watched) & (watched <= high) for name, (low, high) in PAST_WATCHES.items()}
    return {name: mask & ~is_simulated for name, mask in slices.items()} | {
        f"{SIMULATED}{name}": mask & is_simulated for name, mask in slices.items()
    }


def measure_explored(pages: ServedPages, seed: int = 0) -> ServedQuality | None:
    """Measures what viewers did with the items of exploration slots alone; None without such slots.

    The order of a page says nothing about single slots, so there is neither precision nor NDCG.
    """
    slots = to_floats(pages.outcomes["propensity"]) if "propensity" in pages.outcomes.schema.names else None
    if slots is None or not np.isfinite(slots).any():
        return None
    outcomes = pages.outcomes.filter(pa.array(np.isfinite(slots)))
    mask = find_indices(pages.requests["request_id"], outcomes["request_id"]) >= 0
    mask &= ~pages.find_simulated() if not pages.find_simulated().all() else True
    if not mask.any():
        return None
    explored = replace(pages, requests=pages.requests.filter(pa.array(mask)), outcomes=outcomes)
    totals = _measure_requests(explored, ServedRules())
    quality = _summarize(EXPLORED, totals, explored.name_viewers(), seed)
    kept = {name: value for name, value in quality.measures.items() if name in MEASURES[:3]}
    return replace(quality, measures=kept)


@dataclass(frozen=True, slots=True, eq=False)
class _RequestTotals:
    """Totals [q] of each request, its precision, and its ndcg [q], NaN where the viewer wanted nothing."""

    impressions: NDArray[np.float64]
    known: NDArray[np.float64]
    uses: NDArray[np.float64]
    watched_s: NDArray[np.float64]
    plays: NDArray[np.float64]
    skips: NDArray[np.float64]
    precision: NDArray[np.float64]
    ndcg: NDArray[np.float64]

    def select(self, mask: NDArray[np.bool_]) -> "_RequestTotals":
        return _RequestTotals(*(getattr(self, name)[mask] for name in self.__slots__))


def _summarize(surface: str, totals: _RequestTotals, groups: NDArray[np.str_], seed: int) -> ServedQuality:
    columns = {
        "ctr": (totals.uses, totals.impressions),
        "watch_s_per_impression": (totals.watched_s, totals.impressions),
        "skip_rate": (totals.skips, totals.plays),
        "precision@10": (totals.precision, np.ones(len(groups))),
        "ndcg@10": (np.nan_to_num(totals.ndcg), np.isfinite(totals.ndcg).astype(np.float64)),
    }
    measures = {
        name: bootstrap_ratio(numerator, denominator, groups, seed)
        for name, (numerator, denominator) in columns.items()
        if denominator.sum() > 0
    }
    impressions = float(totals.impressions.sum())
    return ServedQuality(
        surface,
        len(groups),
        int(np.isfinite(totals.ndcg).sum()),
        len(np.unique(groups)),
        int(impressions),
        float(totals.known.sum() / max(impressions, 1)),
        measures,
    )


def _measure_requests(pages: ServedPages, rules: ServedRules) -> _RequestTotals:
    requests, outcomes, n = pages.requests, pages.outcomes, len(pages.requests)
    request = find_indices(outcomes["request_id"], requests["request_id"])
    outcomes, request = outcomes.filter(pa.array(request >= 0)), request[request >= 0]
    seen = to_floats(outcomes["seen"])
    played = to_floats(outcomes["played"])
    uses = ((played > 0) | (to_floats(outcomes["clicked"]) > 0)) * seen
    watched_s = np.nan_to_num(to_floats(outcomes["watched_ms"])) / 1000
    wanted = find_wanted(pages, rules)
    gains = wanted.find_gains(outcomes, request)
    positions = to_array(outcomes["position"], np.int64)
    first = positions < CUTOFF
    dcg = sum_by_request(request[first], (gains / np.log2(positions + 2.0))[first], n)
    ideal = wanted.compute_ideal(n)
    return _RequestTotals(
        sum_by_request(request, seen, n),
        sum_by_request(request, seen * to_floats(outcomes["is_seen_known"]), n),
        sum_by_request(request, uses, n),
        sum_by_request(request, watched_s * seen, n),
        sum_by_request(request, played, n),
        sum_by_request(request, to_floats(outcomes["quick_skip"]), n),
        sum_by_request(request[first], (gains > 0)[first].astype(np.float64), n) / CUTOFF,
        np.divide(dcg, ideal, out=np.full(n, np.nan), where=ideal > 0),
    )

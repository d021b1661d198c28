"""What exploration slots cost and earn: their uses beside those of neighbours and of picks at random."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.ranking.arrow_columns import find_indices, to_array, to_floats
from reelrank.ranking.evaluation.intervals import Interval, summarize_resamples, total_resamples
from reelrank.ranking.evaluation.served.wanted import ServedPages
from reelrank.ranking.policies.thompson import POOL_SIZE

PER = 1000.0
"""Pages that uses are stated of."""
MIN_REFERENCE = 100
"""Picks at random from which on they are compared with. A choice."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SlotCost:
    """Uses in 1,000 pages, with 95 % intervals by viewer.

    pages: with an exploration slot, of which the first counts. explored: uses of the slots. beside: of a
    position next to the slot, the mean of both. cost: beside less explored.
    reference: of the slots of the reference bucket; None with fewer than MIN_REFERENCE. earned: explored,
    without the bucket, less reference.
    """

    pages: int
    explored: Interval
    beside: Interval
    cost: Interval
    reference: Interval | None = None
    earned: Interval | None = None

    def describe(self) -> str:
        """Returns what exploration costs and earns, in sentences."""
        text = (
            f"In 1,000 pages the exploration slots were used {_format(self.explored)} times, a position "
            f"beside them {_format(self.beside)} times: {_name_difference(self.cost)}."
        )
        if self.reference is None or self.earned is None:
            return f"{text} Fewer than {MIN_REFERENCE} picks were made at random, too few to compare with."
        return (
            f"{text} Picks at random were used {_format(self.reference)} times: to pick by what is "
            f"believed of items earned {_format(self.earned)} uses in 1,000 pages."
        )


def measure_slot_cost(pages: ServedPages, seed: int = 0) -> SlotCost | None:
    """Measures pages of real viewers, or of simulated ones where there are no others. None without slots."""
    outcomes = pages.outcomes
    if "propensity" not in outcomes.schema.names or not len(outcomes):
        return None
    request = find_indices(outcomes["request_id"], pages.requests["request_id"])
    is_simulated = pages.find_simulated()
    is_counted = request >= 0
    if not is_simulated.all():
        is_counted &= ~is_simulated[request]
    outcomes, request = outcomes.filter(pa.array(is_counted)), request[is_counted]
    slot = _find_first_slots(outcomes, request, len(pages.requests))
    asked = np.flatnonzero(slot >= 0)
    if not len(asked):
        return None
    slot = slot[asked]
    used = np.maximum(to_floats(outcomes["clicked"]), to_floats(outcomes["played"]))
    beside = _average_beside(to_array(outcomes["position"], np.int64), request, used, slot)
    is_reference = np.isclose(to_floats(outcomes["propensity"])[slot], 1 / POOL_SIZE, rtol=1e-6, atol=0)
    return _summarize(used[slot], beside, is_reference, (pages.name_viewers()[asked], seed))


def _find_first_slots(outcomes: pa.Table, request: NDArray[np.int64], requests: int) -> NDArray[np.int64]:
    """Returns the row of the first exploration slot of each request [q]; -1 where there is none."""
    rows = np.flatnonzero(np.isfinite(to_floats(outcomes["propensity"])))
    positions = to_array(outcomes["position"], np.int64)[rows]
    rows = rows[np.argsort(-positions, kind="stable")]
    first = np.full(requests, -1, np.int64)
    first[request[rows]] = rows  # the last assignment stays: the lowest position
    return first


def _average_beside(
    positions: NDArray[np.int64], request: NDArray[np.int64], used: Floats, slot: NDArray[np.int64]
) -> Floats:
    """Returns the uses [k] of a position beside each slot, the mean of those that were shown; else NaN."""
    width = int(positions.max()) + 3
    keys = request * width + positions + 1
    order = np.argsort(keys)
    sides = np.full((len(slot), 2), np.nan)
    for column, step in enumerate((-1, 1)):
        wanted = keys[slot] + step
        at = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
        sides[:, column] = np.where(keys[at] == wanted, used[at], np.nan)
    known = np.isfinite(sides)
    total = np.where(known, sides, 0.0).sum(axis=1)
    average = np.full(len(slot), np.nan)
    np.divide(total, known.sum(axis=1), out=average, where=known.any(axis=1))
    return average


def _summarize(
    used: Floats, beside: Floats, is_reference: NDArray[np.bool_], by: tuple[NDArray[np.str_], int]
) -> SlotCost | None:
    """Resamples viewers: by holds whose page each is, and the seed."""
    kept = np.isfinite(beside)
    used, beside, is_reference = used[kept], beside[kept], is_reference[kept].astype(np.float64)
    if not len(used):
        return None
    ones = np.ones(len(used))
    columns = [
        used,
        beside,
        ones,
        used * (1 - is_reference),
        1 - is_reference,
        used * is_reference,
        is_reference,
    ]
    values = np.stack(columns, axis=1)
    sums = np.concatenate([values.sum(axis=0)[None], total_resamples(values, by[0][kept], by[1])])

    def rate(numerator: int, denominator: int) -> Floats:
        rates = np.full(len(sums), np.nan)
        np.divide(PER * sums[:, numerator], sums[:, denominator], out=rates, where=sums[:, denominator] > 0)
        return rates

    explored, around, picked, reference = rate(0, 2), rate(1, 2), rate(3, 4), rate(5, 6)
    cost = SlotCost(len(used), _bound(explored), _bound(around), _bound(around - explored))
    if is_reference.sum() < MIN_REFERENCE:
        return cost
    return SlotCost(
        cost.pages, cost.explored, cost.beside, cost.cost, _bound(reference), _bound(picked - reference)
    )


def _bound(values: Floats) -> Interval:
    """Returns the interval of a first value and its resamples."""
    return summarize_resamples(float(values[0]), values[1:])


def _format(interval: Interval) -> str:
    return f"{interval.mean:.1f} ({interval.low:.1f} to {interval.high:.1f})"


def _name_difference(cost: Interval) -> str:
    if cost.low <= 0 <= cost.high:
        return f"what exploration costs is not told from nothing, {_format(cost)} uses in 1,000 pages"
    if cost.mean < 0:
        gain = Interval(-cost.mean, -cost.high, -cost.low)
        return f"exploration earns {_format(gain)} uses in 1,000 pages"
    return f"exploration costs {_format(cost)} uses in 1,000 pages"

"""Orders of several systems for the same logged requests, judged by what viewers wanted after the pages.

Viewers can only use what a page showed, so what they wanted favours the order as served: a baseline that is
certainly better is better, one that is certainly worse may have lacked the chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_intervals
from reelrank.ranking.evaluation.metrics import ndcg_at, precision_at, recall_at
from reelrank.ranking.evaluation.served.wanted import CUTOFF, WantedItems

ORDER_MEASURES = ("ndcg@10", "precision@10", "recall@10")
SERVED = "as served"


@dataclass(frozen=True, slots=True, eq=False)
class JudgedOrders:
    """Orders of q requests after which viewers wanted something.

    surfaces, viewers [q]. lists: by system, the items of each request, best first; None where the system does
    not answer such requests, empty where it found nothing, which counts. wanted: of each request the items
    and their gains.
    """

    surfaces: NDArray[np.str_]
    viewers: NDArray[np.str_]
    lists: Mapping[str, Sequence[ItemIds | None]]
    wanted: Sequence[tuple[ItemIds, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class OrderQuality:
    """One system on the requests of a surface. difference: of NDCG@10 to the order as served, paired."""

    surface: str
    system: str
    requests: int
    measures: Mapping[str, Interval]
    difference: Interval


def select_wanted(wanted: WantedItems, request: int) -> tuple[ItemIds, NDArray[np.float32]]:
    """Returns the items that were wanted after the request in this row, and their gains."""
    rows = np.flatnonzero(wanted.request == request)
    items = encode_item_ids(wanted.items[int(row)].as_py() for row in rows)
    return items, wanted.gains[rows].astype(np.float32)


def measure_orders(orders: JudgedOrders, seed: int = 0) -> list[OrderQuality]:
    """Measures every system on each surface, the order as served first."""
    measured = {name: _measure_lists(lists, orders.wanted) for name, lists in orders.lists.items()}
    return [
        _summarize(surface, name, values, measured[SERVED], (orders, seed))
        for surface in np.unique(orders.surfaces).tolist()
        for name, values in sorted(measured.items(), key=lambda pair: pair[0] != SERVED)
        if np.isfinite(values[orders.surfaces == surface]).any()
    ]


def _summarize(
    surface: str,
    system: str,
    values: NDArray[np.float64],
    served: NDArray[np.float64],
    drawn: tuple[JudgedOrders, int],
) -> OrderQuality:
    """Measures the requests of a surface that the system answers; intervals resample viewers."""
    orders, seed = drawn
    rows = np.flatnonzero((orders.surfaces == surface) & np.isfinite(values[:, 0]))
    columns = np.column_stack([values[rows], values[rows, 0] - served[rows, 0]])
    *measures, difference = bootstrap_intervals(columns, seed, orders.viewers[rows])
    return OrderQuality(
        surface, system, len(rows), dict(zip(ORDER_MEASURES, measures, strict=True)), difference
    )


def _measure_lists(
    lists: Sequence[ItemIds | None], wanted: Sequence[tuple[ItemIds, NDArray[np.float32]]]
) -> NDArray[np.float64]:
    """Returns ORDER_MEASURES [q, 3] of the lists of one system; NaN where it does not answer."""
    return np.array([_measure_list(ids, *one) for ids, one in zip(lists, wanted, strict=True)])


def _measure_list(
    ids: ItemIds | None, items: ItemIds, gains: NDArray[np.float32]
) -> tuple[float, float, float]:
    if ids is None:
        return (np.nan, np.nan, np.nan)
    gain_of = dict(zip(items.tolist(), gains.tolist(), strict=True))
    ranked = np.array([gain_of.get(item, 0.0) for item in ids[:CUTOFF].tolist()], np.float32)
    return (
        ndcg_at(ranked, gains, CUTOFF),
        precision_at(ranked, CUTOFF),
        recall_at(ranked, len(items), CUTOFF),
    )

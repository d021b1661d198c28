"""What viewers wanted after a page: items that they watched within its window and had not watched before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.arrow_columns import find_indices, to_array, to_floats, to_texts
from reelrank.ranking.items.engagements import to_page_item_keys
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.labels.watch_time import BY_WATCHED_SHARE

CUTOFF = 10
"""Measures read the first ten items."""


@dataclass(frozen=True, slots=True)
class ServedRules:
    """wanted_ms: by surface, how long after the page a watch says what the viewer wanted."""

    wanted_ms: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(
            {"home": DAY_MS, "search": PLAY_WINDOW_MS, "similar": DAY_MS, "rank": DAY_MS}
        )
    )


@dataclass(frozen=True, slots=True, eq=False)
class ServedPages:
    """Requests with the columns request_id, at_ms, user_key and surface; the outcomes of what they showed
    (ATTRIBUTION_SCHEMA, and where known the logged `propensity` and `probability`); and watch events from
    before the first to after the last of them. simulated: keys of simulated viewers."""

    requests: pa.Table
    outcomes: pa.Table
    watches: pa.Table
    simulated: frozenset[str] = frozenset()

    def name_viewers(self) -> NDArray[np.str_]:
        """Returns whose request each [q] is, to resample by viewer; each anonymous one is a viewer."""
        users = to_texts(self.requests["user_key"])
        return np.where(users == "", to_texts(self.requests["request_id"]), users)

    def find_simulated(self) -> NDArray[np.bool_]:
        """Returns which requests [q] are of simulated viewers."""
        return np.isin(to_texts(self.requests["user_key"]), list(self.simulated))


@dataclass(frozen=True, slots=True, eq=False)
class WantedItems:
    """Pairs [w] of a request, by row, and an item that its viewer watched afterwards, with the gain, above 0.

    keys: as `to_page_item_keys`.
    """

    request: NDArray[np.int64]
    items: pa.Array
    keys: pa.Array
    gains: NDArray[np.float64]

    def find_gains(self, outcomes: pa.Table, request: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns the gains [n] of shown items; 0 where one was not wanted."""
        found = find_indices(to_page_item_keys(outcomes), self.keys)
        return np.where(found >= 0, self.gains[found], 0.0) if len(self.gains) else np.zeros(len(request))

    def compute_ideal(self, n: int) -> NDArray[np.float64]:
        """Returns DCG@10 [n] of the best order of what was wanted, shown or not."""
        order = np.lexsort((-self.gains, self.request))
        request, gains = self.request[order], self.gains[order]
        begins = np.searchsorted(request, request)
        ranks = np.arange(len(request)) - begins
        first = ranks < CUTOFF
        return sum_by_request(request[first], (gains / np.log2(ranks + 2.0))[first], n)


def find_wanted(pages: ServedPages, rules: ServedRules) -> WantedItems:
    """Finds what viewers watched within the window of the page, and had not watched before it."""
    requests, watches = (
        pages.requests,
        pages.watches.sort_by([("user_key", "ascending"), ("at_ms", "ascending")]),
    )
    windows = np.array([rules.wanted_ms.get(s, DAY_MS) for s in requests["surface"].to_pylist()], np.int64)
    users = pc.unique(watches["user_key"])
    user, of_request = find_indices(watches["user_key"], users), find_indices(requests["user_key"], users)
    at, asked = to_array(watches["at_ms"], np.int64), to_array(requests["at_ms"], np.int64)
    is_known = (of_request >= 0) & (to_texts(requests["user_key"]) != "")
    begins = _count_before((user, at), (of_request, asked))
    counts = np.where(is_known, _count_before((user, at), (of_request, asked + windows)) - begins, 0)
    request = np.repeat(np.arange(len(requests)), counts)
    row = np.repeat(begins, counts) + np.arange(len(request)) - np.repeat(np.cumsum(counts) - counts, counts)
    is_new = _find_first_ms(watches)[row] >= asked[request]
    request, row = request[is_new], row[is_new]
    gains = _to_gains(watches)[row]
    pairs = pa.table(
        {
            "request_id": requests["request_id"].take(pa.array(request)),
            "item": watches["item"].take(pa.array(row)),
            "request": request,
            "gain": gains,
        }
    ).filter(pa.array(gains > 0))
    best = pairs.group_by(["request_id", "item", "request"]).aggregate([("gain", "max")])
    return WantedItems(
        to_array(best["request"], np.int64),
        best["item"].combine_chunks(),
        to_page_item_keys(best).combine_chunks(),
        to_floats(best["gain_max"]),
    )


def count_past_watches(pages: ServedPages) -> NDArray[np.int64]:
    """Returns how many different items the viewer of each request [q] had watched before it."""
    watches = pages.watches.sort_by([("user_key", "ascending"), ("at_ms", "ascending")])
    watches = watches.filter(pa.array(to_array(watches["at_ms"], np.int64) == _find_first_ms(watches)))
    users = pc.unique(watches["user_key"])
    asked = find_indices(pages.requests["user_key"], users), to_array(pages.requests["at_ms"], np.int64)
    rows = find_indices(watches["user_key"], users), to_array(watches["at_ms"], np.int64)
    before_user = _count_before(rows, (asked[0], np.full(len(asked[0]), np.iinfo(np.int64).min)))
    return np.where(asked[0] >= 0, _count_before(rows, asked) - before_user, 0)


def _find_first_ms(watches: pa.Table) -> NDArray[np.int64]:
    """Returns for each watch [n] when its viewer watched its item first."""
    keys = pc.binary_join_element_wise(watches["user_key"], watches["item"], " ")
    codes = pc.dictionary_encode(keys).combine_chunks().indices.to_numpy(zero_copy_only=False)
    first = np.full(codes.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, codes, to_array(watches["at_ms"], np.int64))
    return np.asarray(first[codes])


def _to_gains(watches: pa.Table) -> NDArray[np.float64]:
    watched, duration = (to_floats(watches[name]) for name in ("watched_ms", "duration_ms"))
    return BY_WATCHED_SHARE.grade_plays(watched, duration).astype(np.float64)


def _count_before(
    rows: tuple[NDArray[np.int64], NDArray[np.int64]], asked: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Returns for each asked (user, time) [q] how many rows, sorted by (user, time), are before it."""
    q = len(asked[0])
    users, times = (np.concatenate(pair) for pair in zip(asked, rows, strict=True))
    order = np.lexsort((times, users))
    before, counts = np.cumsum(order >= q), np.empty(q, np.int64)
    counts[order[order < q]] = before[order < q]
    return counts


def sum_by_request(request: NDArray[np.int64], values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Returns the sums [n] of the values of each request."""
    return np.bincount(request, values, minlength=n).astype(np.float64)

"""Training rows of logged requests: signals as they were observed, gains by what the viewers then did.

A row is a shown item that was seen, or a sampled candidate that was not shown, of a request whose whole group
was logged. What was shown but known not to be seen says nothing, and is no row. Requests that led to nothing
are groups too: the probability learns from them.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.index_mappings.decision import name_signal_column
from reelrank.ranking.arrow_columns import find_indices, to_array, to_texts
from reelrank.ranking.features.compute import FEATURES_BY_NAME, compute_features
from reelrank.ranking.items.engagements import to_page_item_keys
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training.dataset import GROUP_SIZE, TrainingSet

GainFunction = Callable[[pa.Table], NDArray[np.int32]]
"""Maps outcomes [n] of ATTRIBUTION_SCHEMA to gains [n], 0 where an item was not wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class LoggedPages:
    """Requests, their candidates, and the outcomes of the shown ones: REQUEST_SCHEMA,
    `build_candidate_schema` and ATTRIBUTION_SCHEMA. Rows of other requests are ignored."""

    requests: pa.Table
    candidates: pa.Table
    outcomes: pa.Table


@dataclass(frozen=True, slots=True, eq=False)
class LoggedGroups:
    """The rows of g requests in the order of time: request_ids [g], at_ms [g] int64."""

    rows: TrainingSet
    request_ids: NDArray[np.str_]
    at_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.request_ids)

    def find_answered(self) -> NDArray[np.bool_]:
        """Returns which requests [g] have a row with a gain."""
        request = np.repeat(np.arange(len(self)), self.rows.groups)
        return np.bincount(request, self.rows.gains > 0, minlength=len(self)) > 0

    def select(self, chosen: NDArray[np.bool_]) -> "LoggedGroups":
        """Returns the chosen [g] requests with all of their rows."""
        rows = np.repeat(chosen, self.rows.groups)
        kept = TrainingSet(
            self.rows.features[rows],
            self.rows.gains[rows],
            self.rows.groups[chosen],
            self.rows.get_row_weights()[rows],
        )
        return LoggedGroups(kept, self.request_ids[chosen], self.at_ms[chosen])


def list_signals(features: Sequence[str]) -> list[str]:
    """Returns the signals that these features read."""
    return sorted({signal for name in features for signal in FEATURES_BY_NAME[name].reads})


def build_logged_groups(
    pages: LoggedPages, features: Sequence[str], to_gains: GainFunction, group_size: int = GROUP_SIZE
) -> LoggedGroups:
    """Builds the rows of all requests that have any. group_size: sampled candidates that were not shown.

    Raises KeyError when the candidates lack a signal that a feature reads.
    """
    signals = {name: name_signal_column(name) for name in list_signals(features)}
    if lacking := sorted(set(signals.values()) - set(pages.candidates.schema.names)):
        raise KeyError(f"the logged candidates lack {', '.join(lacking)}")
    requests = pages.requests.sort_by([("at_ms", "ascending"), ("request_id", "ascending")])
    codes = find_indices(pages.candidates["request_id"], requests["request_id"])
    gains, weights = _label_candidates(pages, to_gains, codes, group_size)
    chosen = np.flatnonzero(weights > 0)
    positions = to_array(pages.candidates["position"], np.int64)[chosen]
    chosen = chosen[np.lexsort((positions, codes[chosen]))]
    candidates = pages.candidates.select(list(signals.values())).take(pa.array(chosen))
    observed = Signals({name: to_array(candidates[column], np.float32) for name, column in signals.items()})
    groups = np.bincount(codes[chosen], minlength=len(requests)).astype(np.int32)
    has_rows = groups > 0
    computed = np.ascontiguousarray(compute_features(observed, features))
    rows = TrainingSet(computed, gains[chosen], groups[has_rows], weights[chosen])
    ids = to_texts(requests["request_id"])
    return LoggedGroups(rows, ids[has_rows], to_array(requests["at_ms"], np.int64)[has_rows])


def _label_candidates(
    pages: LoggedPages, to_gains: GainFunction, codes: NDArray[np.int64], group_size: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Returns gains and weights [n] of the candidates; a weight of 0 leaves a candidate out."""
    outcomes, candidates = pages.outcomes, pages.candidates
    outcome = find_indices(to_page_item_keys(candidates), to_page_item_keys(outcomes))
    shown, whole = (to_array(candidates[name], np.bool_) for name in ("shown", "is_whole_group"))
    gains, seen = np.zeros(len(candidates), np.int32), np.zeros(len(candidates), bool)
    judged = np.flatnonzero((outcome >= 0) & shown & (codes >= 0))
    gains[judged] = to_gains(outcomes)[outcome[judged]]
    seen[judged] = to_array(outcomes["seen"], np.bool_)[outcome[judged]]
    weights = seen.astype(np.float32)
    unshown = np.flatnonzero(~shown & whole & (codes >= 0))
    _weigh_sample(weights, candidates, codes, unshown, group_size)
    return gains, weights


def _weigh_sample(
    weights: NDArray[np.float32],
    candidates: pa.Table,
    codes: NDArray[np.int64],
    unshown: NDArray[np.intp],
    group_size: int,
) -> None:
    """Gives a uniform sample of each request's unshown candidates the weight of all of them.

    The seed is the request's id, so the sample is the same however the log is cut into partitions.
    """
    order = unshown[np.lexsort((to_array(candidates["position"], np.int64)[unshown], codes[unshown]))]
    if not len(order):
        return
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    for group in np.split(order, starts[1:]):
        request_id = str(candidates["request_id"][int(group[0])])
        rng = np.random.default_rng(zlib.crc32(request_id.encode()))
        sampled = rng.permutation(group)[:group_size]
        weights[sampled] = len(group) / len(sampled)


class GroupSample:
    """Keeps whole groups of at most `max_rows` rows, a uniform sample of all that were added.

    A group is kept by a hash of its request's id, so the sample does not depend on the order of the parts.
    """

    def __init__(self, max_rows: int) -> None:
        self.share = 1.0
        self.seen_rows = 0
        self._max_rows = max_rows
        self._parts: list[LoggedGroups] = []

    def add(self, groups: LoggedGroups) -> None:
        self.seen_rows += len(groups.rows.gains)
        self._parts.append(self._thin(groups))
        while self._count_rows() > self._max_rows and self.share > 2**-40:
            self.share /= 2
            self._parts = [self._thin(part) for part in self._parts]

    def collect(self) -> LoggedGroups:
        """Returns what was kept, in the order of time. Raises ValueError when nothing was added."""
        if not any(map(len, self._parts)):
            raise ValueError("no logged request has a row to learn from")
        parts = [part for part in self._parts if len(part)]
        rows = TrainingSet(
            np.concatenate([part.rows.features for part in parts]),
            np.concatenate([part.rows.gains for part in parts]),
            np.concatenate([part.rows.groups for part in parts]),
            np.concatenate([part.rows.get_row_weights() for part in parts]),
        )
        at_ms = np.concatenate([part.at_ms for part in parts])
        whole = LoggedGroups(rows, np.concatenate([part.request_ids for part in parts]), at_ms)
        return sort_groups(whole)

    def _thin(self, groups: LoggedGroups) -> LoggedGroups:
        hashes = np.array([zlib.crc32(name.encode()) for name in groups.request_ids.tolist()], np.uint32)
        chosen = hashes < self.share * 2**32
        return groups if chosen.all() else groups.select(chosen)

    def _count_rows(self) -> int:
        return sum(len(part.rows.gains) for part in self._parts)


def sort_groups(groups: LoggedGroups) -> LoggedGroups:
    """Returns the same requests in the order of (at_ms, request_id)."""
    order = np.lexsort((groups.request_ids, groups.at_ms))
    if (np.diff(order) > 0).all():
        return groups
    starts = np.concatenate([[0], np.cumsum(groups.rows.groups)])
    rows = np.concatenate([np.arange(starts[one], starts[one + 1]) for one in order])
    training = TrainingSet(
        groups.rows.features[rows],
        groups.rows.gains[rows],
        groups.rows.groups[order],
        groups.rows.get_row_weights()[rows],
    )
    return replace(groups, rows=training, request_ids=groups.request_ids[order], at_ms=groups.at_ms[order])

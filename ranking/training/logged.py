"""Training groups of logged requests: their rows with gains by what the viewers then did, and a sample."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.ranking.arrow_columns import to_array, to_texts
from reelrank.ranking.training.dataset import GROUP_SIZE, ShownAt, TrainingSet
from reelrank.ranking.training.logged_rows import FEATURE_PREFIX, GRADED, LoggedPages, build_logged_rows

GainFunction = Callable[[pa.Table], NDArray[np.int32]]
"""Maps outcomes [n] with the columns GRADED to gains [n], 0 where an item was not wanted."""


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
        return self.rows.find_answered()

    def select(self, chosen: NDArray[np.bool_]) -> "LoggedGroups":
        """Returns the chosen [g] requests with all of their rows."""
        return LoggedGroups(self.rows.select_groups(chosen), self.request_ids[chosen], self.at_ms[chosen])


def build_logged_groups(
    pages: LoggedPages, features: Sequence[str], to_gains: GainFunction, group_size: int = GROUP_SIZE
) -> LoggedGroups:
    """Builds the rows of all requests that have any, with their gains. See `build_logged_rows`."""
    return grade_logged_rows(build_logged_rows(pages, features, group_size), to_gains)


def grade_logged_rows(rows: pa.Table | pa.RecordBatch, to_gains: GainFunction) -> LoggedGroups:
    """Returns rows of `build_row_schema`, those of a request one after the other, as groups with gains."""
    ids, n = rows["request_id"], rows.num_rows
    begins = np.ones(n, bool)
    begins[1:] = pc.not_equal(ids.slice(1), ids.slice(0, max(n - 1, 0))).to_numpy(zero_copy_only=False)
    starts = np.flatnonzero(begins)
    names = [name for name in rows.schema.names if name.startswith(FEATURE_PREFIX)]
    features = np.empty((n, len(names)), np.float32)
    for index, name in enumerate(names):
        features[:, index] = to_array(rows[name], np.float32)
    training = TrainingSet(
        features,
        _grade(rows, to_gains),
        np.diff(np.append(starts, n)).astype(np.int32),
        to_array(rows["weight"], np.float32),
        shown=ShownAt(to_array(rows["position"], np.int32), to_array(rows["propensity"], np.float32)),
    )
    first = pa.array(starts)
    return LoggedGroups(training, to_texts(ids.take(first)), to_array(rows["at_ms"].take(first), np.int64))


def _grade(rows: pa.Table | pa.RecordBatch, to_gains: GainFunction) -> NDArray[np.int32]:
    """Returns the gain [n] of each row; 0 for an item that was not shown."""
    gains = np.zeros(rows.num_rows, np.int32)
    judged = np.flatnonzero(rows["played"].is_valid().to_numpy(zero_copy_only=False))
    gains[judged] = to_gains(pa.table({name: rows[name] for name in GRADED}).take(pa.array(judged)))
    return gains


NO_GROUPS = LoggedGroups(
    TrainingSet(np.empty((0, 0), np.float32), np.empty(0, np.int32), np.empty(0, np.int32)),
    np.empty(0, np.str_),
    np.empty(0, np.int64),
)


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

    @property
    def has_groups(self) -> bool:
        return any(len(part) for part in self._parts)

    def add_sample(self, groups: LoggedGroups | None, share: float) -> None:
        """Adds what another sample kept of its share of requests; from now on no more is kept here."""
        self.share = min(self.share, share)
        self._parts = [self._thin(part) for part in self._parts]
        if groups is not None:
            self.add(groups)

    def collect(self) -> LoggedGroups:
        """Returns what was kept, in the order of time, and keeps nothing more.

        Needs memory for twice the rows. Raises ValueError when nothing was added.
        """
        parts, self._parts = [part for part in self._parts if len(part)], []
        if not parts:
            raise ValueError("no logged request has a row to learn from")
        return sort_groups(parts)

    def _thin(self, groups: LoggedGroups) -> LoggedGroups:
        hashes = np.array([zlib.crc32(name.encode()) for name in groups.request_ids.tolist()], np.uint32)
        chosen = hashes < self.share * 2**32
        return groups if chosen.all() else groups.select(chosen)

    def _count_rows(self) -> int:
        return sum(len(part.rows.gains) for part in self._parts)


def sort_groups(parts: list[LoggedGroups]) -> LoggedGroups:
    """Returns the requests of all parts in the order of (at_ms, request_id). The list is empty afterwards."""
    ids = np.concatenate([part.request_ids for part in parts])
    at_ms = np.concatenate([part.at_ms for part in parts])
    groups = np.concatenate([part.rows.groups for part in parts])
    order = np.lexsort((ids, at_ms))
    ends = np.empty(len(order), np.int64)
    ends[order] = np.cumsum(groups[order])
    total, width = int(groups.sum()), parts[0].rows.features.shape[1]
    features, gains = np.empty((total, width), np.float32), np.empty(total, np.int32)
    weights, begun = np.empty(total, np.float32), 0
    shown = ShownAt(np.full(total, -1, np.int32), np.full(total, np.nan, np.float32))
    for number in range(len(parts)):
        rows = parts[number].rows
        sizes, last = rows.groups, ends[begun : begun + len(rows.groups)]
        target = np.arange(len(rows.gains)) + np.repeat(last - np.cumsum(sizes), sizes)
        features[target], gains[target], weights[target] = rows.features, rows.gains, rows.get_row_weights()
        if rows.shown is not None:
            shown.positions[target], shown.propensities[target] = (
                rows.shown.positions,
                rows.shown.propensities,
            )
        begun += len(sizes)
        parts[number] = NO_GROUPS  # the sample and its copy need not be whole at once
    parts.clear()
    training = TrainingSet(features, gains, groups[order], weights, shown=shown)
    return LoggedGroups(training, ids[order], at_ms[order])

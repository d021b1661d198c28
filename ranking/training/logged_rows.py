"""Labelled feature rows of logged pages: a pure function of one part of the log, as one Arrow table.

A row is a shown item that was seen, or a sampled candidate that was not shown, of a request whose whole group
was logged. What was shown but known not to be seen says nothing, and is no row. Requests that led to nothing
have rows too: the probability learns from them.

A row holds its features and what the viewer did, not a grade: the label can change without building again.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.index_mappings.decision import name_signal_column
from reelrank.ranking.arrow_columns import find_indices, to_array
from reelrank.ranking.features.compute import FEATURES_BY_NAME, compute_features
from reelrank.ranking.items.engagements import to_page_item_keys
from reelrank.ranking.labels.attribution import ATTRIBUTION_SCHEMA
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training.dataset import GROUP_SIZE

ROWS_VERSION = 2
"""Counts up when other rows are made of the same log; cached rows of another version are not read."""
FEATURE_PREFIX, PROPENSITY = "feature_", "propensity"
GRADED = ("played", "liked", "disliked", "watched_ms", "duration_ms")
"""What grades are made of (`grade_shown_items`). Null in the rows of items that were not shown."""
REQUEST_FIELDS = (
    pa.field("request_id", pa.string(), nullable=False),
    pa.field("at_ms", pa.int64(), nullable=False),
    pa.field("weight", pa.float32(), nullable=False),
    pa.field("position", pa.int32(), nullable=False),
    pa.field("propensity", pa.float32()),
)


@dataclass(frozen=True, slots=True, eq=False)
class LoggedPages:
    """Requests, their candidates, and the outcomes of the shown ones: REQUEST_SCHEMA,
    `build_candidate_schema` and ATTRIBUTION_SCHEMA. Rows of other requests are ignored."""

    requests: pa.Table
    candidates: pa.Table
    outcomes: pa.Table


def list_signals(features: Sequence[str]) -> list[str]:
    """Returns the signals that these features read."""
    return sorted({signal for name in features for signal in FEATURES_BY_NAME[name].reads})


def build_row_schema(features: Sequence[str]) -> pa.Schema:
    """Returns the schema of the rows: the request, what followed, and a float32 column for each feature.

    weight: candidates that a row represents. position: -1 for an item that was not shown. propensity: of an
    exploration slot.
    """
    graded = [pa.field(name, ATTRIBUTION_SCHEMA.field(name).type) for name in GRADED]
    computed = [pa.field(FEATURE_PREFIX + name, pa.float32()) for name in features]
    return pa.schema([*REQUEST_FIELDS, *graded, *computed])


def build_logged_rows(pages: LoggedPages, features: Sequence[str], group_size: int = GROUP_SIZE) -> pa.Table:
    """Builds the rows of all requests that have any, in the order of (at_ms, request_id, position).

    group_size: sampled candidates that were not shown. Raises KeyError when the candidates lack a signal that
    a feature reads.
    """
    signals = {name: name_signal_column(name) for name in list_signals(features)}
    if lacking := sorted(set(signals.values()) - set(pages.candidates.schema.names)):
        raise KeyError(f"the logged candidates lack {', '.join(lacking)}")
    requests = pages.requests.sort_by([("at_ms", "ascending"), ("request_id", "ascending")])
    codes = find_indices(pages.candidates["request_id"], requests["request_id"])
    outcome, weights = _choose_rows(pages, codes, group_size)
    chosen = np.flatnonzero(weights > 0)
    positions = to_array(pages.candidates["position"], np.int64)[chosen]
    chosen = chosen[np.lexsort((positions, codes[chosen]))]
    candidates = pages.candidates.select(list(signals.values())).take(pa.array(chosen))
    observed = Signals({name: to_array(candidates[column], np.float32) for name, column in signals.items()})
    of_request = requests.select(["request_id", "at_ms"]).take(pa.array(codes[chosen]))
    judged = outcome[chosen]
    followed = pages.outcomes.select(list(GRADED)).take(pa.array(judged, mask=judged < 0))
    computed = compute_features(observed, features)
    columns = [*of_request.columns, pa.array(weights[chosen]), *_read_shown(pages, chosen), *followed.columns]
    return pa.Table.from_arrays(
        [*columns, *(pa.array(np.ascontiguousarray(values)) for values in computed.T)],
        schema=build_row_schema(features),
    )


def _read_shown(pages: LoggedPages, chosen: NDArray[np.intp]) -> tuple[pa.Array, pa.Array | pa.ChunkedArray]:
    """Returns position and propensity of the chosen candidates; null where propensities were not read."""
    candidates = pages.candidates
    positions = to_array(candidates["position"], np.int32)[chosen]
    positions[~to_array(candidates["shown"], np.bool_)[chosen]] = -1
    if PROPENSITY not in candidates.schema.names:
        return pa.array(positions), pa.nulls(len(chosen), pa.float32())
    return pa.array(positions), candidates[PROPENSITY].take(pa.array(chosen))


def _choose_rows(
    pages: LoggedPages, codes: NDArray[np.int64], group_size: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Returns the outcome of each candidate [n], -1 for none, and its weight; one of 0 leaves it out."""
    outcomes, candidates = pages.outcomes, pages.candidates
    outcome = find_indices(to_page_item_keys(candidates), to_page_item_keys(outcomes))
    shown, whole = (to_array(candidates[name], np.bool_) for name in ("shown", "is_whole_group"))
    outcome[~shown | (codes < 0)] = -1
    seen = np.zeros(len(candidates), bool)
    judged = np.flatnonzero(outcome >= 0)
    seen[judged] = to_array(outcomes["seen"], np.bool_)[outcome[judged]]
    weights = seen.astype(np.float32)
    unshown = np.flatnonzero(~shown & whole & (codes >= 0))
    _weigh_sample(weights, candidates, codes, unshown, group_size)
    return outcome, weights


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

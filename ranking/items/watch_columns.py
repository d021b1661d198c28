"""Watches as columns: what popularity, the audience and training read of watch events."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.index_mappings.event import HOUR_MS
from reelrank.ranking.arrow_columns import to_floats
from reelrank.ranking.items.engagements import compute_watched_shares, is_skipped

LOADED_MS = -1
"""The time of receipt of an event that was loaded, not received."""
UNKNOWN_HOURS = 0.05
"""Hours that a watch of unknown length counts for: three minutes, as of a short video. A choice."""
MAX_HOURS = 24.0
"""Most hours of one watch: a client may send any number."""
VIEWER_BITS = 40
"""Bits of a viewer's code. With 500,000 viewers, any two share a code with a chance of 0.1."""
ROW_BITS = np.uint64(24)
"""A pair is one integer of 64 bits: VIEWER_BITS of the viewer, and the row."""
Rows = NDArray[np.intp]
Codes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class WatchColumns:
    """Columns of n watches of known items, without quick skips.

    viewers: codes (`hash_viewers`). shares: watched share, 1 where unknown. received_ms: LOADED_MS where the
    event was not received over HTTP. hours: watched time that tells bots, 0 where the operator loaded the
    event: many histories are made from ratings, a hundred of which a person gives in an hour.
    """

    viewers: Codes
    rows: Rows
    at_ms: NDArray[np.int64]
    shares: NDArray[np.float32]
    received_ms: NDArray[np.int64]
    hours: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)


def select_watch_columns(
    events: pa.RecordBatch, viewers: Codes, rows: Rows, duration_s: NDArray[np.int32] | None = None
) -> WatchColumns:
    """Selects the watches [n] of events [m] of EVENT_SCHEMA.

    viewers, rows [m]: of each event; a row of -1 is unknown. duration_s: of each row, for events that do not
    state a duration.
    """
    is_watch = events.column("kind").to_numpy(zero_copy_only=False) == "watch"
    selected = np.flatnonzero(is_watch & (rows >= 0))
    events, viewers, rows = events.take(pa.array(selected)), viewers[selected], rows[selected]
    watched_ms, duration_ms = (to_floats(events.column(name)) for name in ("watched_ms", "duration_ms"))
    if duration_s is not None and len(duration_s):
        duration_ms = np.where(duration_ms > 0, duration_ms, duration_s[rows] * 1000.0)
    shares = compute_watched_shares(watched_ms, duration_ms)
    received_ms = np.nan_to_num(to_floats(events.column("received_ms")), nan=LOADED_MS).astype(np.int64)
    hours = np.nan_to_num(watched_ms / HOUR_MS, nan=UNKNOWN_HOURS).clip(0, MAX_HOURS)
    hours = np.where(received_ms == LOADED_MS, 0.0, hours).astype(np.float32)
    is_counted = ~is_skipped(shares)
    return WatchColumns(
        viewers[is_counted],
        rows[is_counted],
        events.column("at_ms").to_numpy()[is_counted],
        np.nan_to_num(shares, nan=1.0)[is_counted],
        received_ms[is_counted],
        hours[is_counted],
    )


def hash_viewers(users: pa.Array | pa.ChunkedArray, key: bytes) -> Codes:
    """Returns a code [n] of each user id. Who does not know the key can choose no id that collides."""
    if not len(users):
        return np.empty(0, np.uint64)
    encoded = users.dictionary_encode()
    digests = (
        hashlib.blake2b(user.encode(), digest_size=VIEWER_BITS // 8, key=key).digest()
        for user in encoded.dictionary.to_pylist()
    )
    codes = np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)
    return np.asarray(codes[encoded.indices.to_numpy()])

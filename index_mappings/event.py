"""Events: what viewers did, in the shape of User Behavior Insights 1.3, and its Arrow schema."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import pyarrow as pa

EventKind = Literal["impression", "click", "watch", "like", "subscribe", "search"]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
USER_ACTIONS: tuple[EventKind, ...] = tuple(kind for kind in EVENT_KINDS if kind != "impression")
"""What a viewer did; impressions are what was done to them, and twenty times as many."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a viewer did. `id` is the caller's idempotency key: the same id counts once.

    at_ms: milliseconds since 1970-01-01 UTC. item: empty for a search. watched_ms, duration_ms:
    for a watch, None when unknown. request_id: the answer that showed the item, if one did.
    position: from 0 on that answer. degraded: what that answer lacked, of an impression; empty when it
    was whole. propensity, came_from: of an impression whose place exploration drew, the chance that it
    would be this item, and the place it had before. simulated: made from a rating or a generator, not
    observed.
    Raises ValueError for numbers that EVENT_SCHEMA cannot hold: one such row would stop every reader.
    """

    id: str
    kind: EventKind
    user: str
    at_ms: int
    item: str = ""
    watched_ms: int | None = None
    duration_ms: int | None = None
    request_id: str = ""
    position: int | None = None
    text: str = ""
    device: str = ""
    country: str = ""
    degraded: str = ""
    propensity: float | None = None
    came_from: int | None = None
    simulated: bool = False

    def __post_init__(self) -> None:
        for name in ("position", "came_from"):
            place = getattr(self, name)
            if place is not None and not 0 <= place < 2**31:
                raise ValueError(f"{name}: {place} is not between 0 and {2**31 - 1}")
        if self.propensity is not None and not 0 < self.propensity <= 1:
            raise ValueError(f"propensity: {self.propensity} is no chance above 0 and up to 1")
        drawn = (self.propensity is not None, self.came_from is not None)
        if any(drawn) and not (all(drawn) and self.kind == "impression" and self.position is not None):
            raise ValueError("propensity: it goes with came_from and position, of an impression")
        for name in ("at_ms", "watched_ms", "duration_ms"):
            number = getattr(self, name)
            if number is not None and not -(2**62) < number < 2**62:
                raise ValueError(f"{name}: {number} is out of bounds")

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.at_ms / 1000, UTC)


EVENT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("user", pa.string(), nullable=False),
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("watched_ms", pa.int64()),
        pa.field("duration_ms", pa.int64()),
        pa.field("request_id", pa.string(), nullable=False),
        pa.field("position", pa.int32()),
        pa.field("text", pa.string(), nullable=False),
        pa.field("device", pa.string(), nullable=False),
        pa.field("country", pa.string(), nullable=False),
        pa.field("degraded", pa.string(), nullable=False),
        pa.field("propensity", pa.float64()),
        pa.field("came_from", pa.int32()),
        pa.field("simulated", pa.bool_(), nullable=False),
    ]
)
"""The columns of `Event`, in its order; every EventStore answers scans in this schema."""

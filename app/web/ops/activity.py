"""What comes in: events per minute of the last hour, as the event store has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from reelrank.app.clock import to_ms
from reelrank.index_mappings.errors import EngineError
from reelrank.index_mappings.event import MINUTE_MS
from reelrank.index_mappings.event_store import EventStore
from reelrank.ranking.arrow_columns import to_array

MINUTES, CHUNK = 60, 10
MAX_EVENTS = 100_000
"""Events that are counted at most: 0.1 s of the embedded engine. Earlier minutes are left out."""
WIDTH, HEIGHT = 320, 60


@dataclass(frozen=True, slots=True)
class Minute:
    """A bar of the picture: x and height, and what it says."""

    x: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class EventRate:
    """Events by minute, oldest first. most: the largest count; mean: events per minute."""

    minutes: Sequence[Minute]
    total: int
    mean: float
    most: int
    width: int = WIDTH
    height: int = HEIGHT


def measure_event_rate(events: EventStore, now: datetime) -> EventRate | None:
    """Counts the events of the last hour by minute; None while the store does not answer."""
    try:
        counts = count_minutes(events, now)
    except EngineError:
        return None
    most, step = int(counts.max(initial=0)), WIDTH / MINUTES
    first = MINUTES - len(counts)
    minutes = [
        Minute(
            round((first + n) * step, 1),
            round(HEIGHT * count / max(most, 1), 1),
            f"{now - timedelta(minutes=len(counts) - n):%H:%M}: {count:,}",
        )
        for n, count in enumerate(counts.tolist())
    ]
    return EventRate(minutes, int(counts.sum()), float(counts.mean()), most)


def count_minutes(events: EventStore, now: datetime) -> NDArray[np.int64]:
    """Returns events by minute [n <= 60], the newest last; fewer minutes where there are MAX_EVENTS."""
    end, counts = to_ms(now), np.zeros(0, np.int64)
    for chunk in range(MINUTES // CHUNK):
        until = end - chunk * CHUNK * MINUTE_MS
        begin, of_chunk = until - CHUNK * MINUTE_MS, np.zeros(CHUNK, np.int64)
        for batch in events.scan(begin, until, columns=("at_ms",)):
            minutes = (to_array(batch["at_ms"], np.int64) - begin) // MINUTE_MS
            of_chunk += np.bincount(minutes, minlength=CHUNK)
        counts = np.concatenate([of_chunk, counts])
        if counts.sum() >= MAX_EVENTS:
            break
    return counts

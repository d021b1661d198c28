"""The clock: the only source of wall time in `app` and `loaders`. Deadlines use the monotonic clock."""

from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SimulatedClock:
    """The time that a request states while it is answered, and the time of this machine otherwise.

    Each thread, and so each request, has a time of its own.
    """

    def __init__(self) -> None:
        self._stated: ContextVar[datetime | None] = ContextVar("simulated_now", default=None)

    def now(self) -> datetime:
        return self._stated.get() or datetime.now(UTC)

    def set(self, now: datetime | None) -> None:
        """States the time of what this thread does from now on; None: that of this machine."""
        self._stated.set(now)


SYSTEM_CLOCK = SystemClock()


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return round(time.timestamp() * 1000)

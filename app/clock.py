"""The clock: the only source of wall time in `app` and `loaders`. Deadlines use the monotonic clock."""

from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day."""

    def now(self) -> datetime:
        """Returns the current time, aware, in UTC."""
        ...


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SimulatedClock:
    """The time that a request states, while it is answered, else the time of this machine.

    The time is per thread, and so per request.
    """

    def __init__(self) -> None:
        self._request_time: ContextVar[datetime | None] = ContextVar("simulated_now", default=None)

    def now(self) -> datetime:
        return self._request_time.get() or datetime.now(UTC)

    def set(self, now: datetime | None) -> None:
        """Sets the time that this thread sees from now on; None: the time of this machine."""
        self._request_time.set(now)


class SteppedClock:
    """The time that was set last, the same for all threads of a process: for simulations in one process."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Sets the time that everything sees from now on."""
        self._now = now


SYSTEM_CLOCK = SystemClock()


WAITED_S: ContextVar[float] = ContextVar("waited_s", default=0.0)
"""Seconds that the request of this thread waited for it: its deadline counts from its arrival."""
LEAST_DEADLINE_SHARE = 0.25
"""Stays for a request that was admitted, however long it waited."""


def shorten_deadline(deadline_s: float) -> float:
    """Returns what is left of the deadline of this thread's request, in seconds."""
    return max(LEAST_DEADLINE_SHARE * deadline_s, deadline_s - WAITED_S.get())


def to_ms(time: datetime) -> int:
    """Converts to milliseconds since 1970-01-01 UTC."""
    return round(time.timestamp() * 1000)

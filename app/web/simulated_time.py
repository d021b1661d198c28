"""The header that states the time of a request, for simulations: `REELRANK_CLOCK=simulated` allows it."""

from datetime import UTC, datetime
from ipaddress import ip_address

from flask import Flask, abort, request

from reelrank.app.clock import Clock, SimulatedClock
from reelrank.app.web.problems import InvalidRequest

NOW_HEADER = "X-Reelrank-Now"
FORWARDED_HEADERS = ("Forwarded", "X-Forwarded-For")
"""A request that came through a proxy is not from this machine, whatever its connection says."""


def accept_stated_time(app: Flask, clock: Clock) -> None:
    """Lets requests state their time when the clock is simulated; otherwise the header has no effect."""
    if not isinstance(clock, SimulatedClock):
        return

    @app.before_request
    def set_time() -> None:
        stated = request.headers.get(NOW_HEADER)
        if stated is not None and not _is_from_this_machine():
            abort(403, f"{NOW_HEADER}: only clients on this machine may state the time")
        clock.set(None if stated is None else parse_time(stated))

    @app.teardown_request
    def reset_time(_error: BaseException | None) -> None:
        clock.set(None)


def parse_time(stated: str) -> datetime:
    """Milliseconds since 1970 or an ISO 8601 time; without an offset it is UTC. Raises InvalidRequest."""
    try:
        if stated.strip().isdecimal():
            return datetime.fromtimestamp(int(stated) / 1000, UTC)
        moment = datetime.fromisoformat(stated.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidRequest(
            (NOW_HEADER, f"{stated[:40]!r} is no time; send milliseconds since 1970 or ISO 8601")
        ) from error


def _is_from_this_machine() -> bool:
    if any(header in request.headers for header in FORWARDED_HEADERS):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False

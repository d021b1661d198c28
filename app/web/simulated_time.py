"""The header that sets the time of a request, for simulations with `REELRANK_CLOCK=simulated`."""

from datetime import UTC, datetime
from ipaddress import ip_address

from flask import Flask, request

from reelrank.app.clock import Clock, SimulatedClock
from reelrank.app.web.problems import InvalidRequest, RequestForbidden

NOW_HEADER = "X-Reelrank-Now"
FORWARDED_HEADERS = ("Forwarded", "X-Forwarded-For")
"""A request with one of these came through a proxy, so its client may be on another machine."""
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Events before 1970 are invalid. Near the year 9999 the arithmetic of dates overflows."""


def accept_stated_time(app: Flask, clock: Clock) -> None:
    """Lets requests set their time when the clock is simulated; otherwise the header has no effect."""
    if not isinstance(clock, SimulatedClock):
        return

    @app.before_request
    def set_time() -> None:
        header = request.headers.get(NOW_HEADER)
        if header is not None and not _is_from_this_machine():
            message = f"{NOW_HEADER}: only clients on this machine may set the time"
            raise RequestForbidden(message, code="local_clients_only")
        clock.set(None if header is None else parse_time(header))

    @app.teardown_request
    def reset_time(_error: BaseException | None) -> None:
        clock.set(None)


def parse_time(text: str) -> datetime:
    """Parses milliseconds since 1970 or ISO 8601 (UTC without an offset). Raises InvalidRequest."""
    try:
        if text.strip().isdecimal():
            time = datetime.fromtimestamp(int(text) / 1000, UTC)
        else:
            time = datetime.fromisoformat(text.strip())
            time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidRequest(
            (NOW_HEADER, f"{text[:40]!r} is not a time; send milliseconds since 1970 or ISO 8601")
        ) from error
    if not EARLIEST <= time <= LATEST:
        years = f"{EARLIEST.year} to {LATEST.year}"
        raise InvalidRequest((NOW_HEADER, f"{text[:40]!r} is out of range; send a time from {years}"))
    return time


def _is_from_this_machine() -> bool:
    if any(header in request.headers for header in FORWARDED_HEADERS):
        return False
    try:
        return ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False

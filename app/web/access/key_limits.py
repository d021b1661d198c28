"""The limits of a key, applied to the request that is being answered."""

from flask import current_app, g

from reelrank.app.access.key_limits import KeyLimits

LIMITS_KEY = "REELRANK_KEY_LIMITS"
"""Of the application's configuration: its KeyLimits, or None."""


def count_request() -> None:
    """Counts a request of the key that sent it. Raises KeyLimitReached."""
    _count("requests", 1)


def count_events(events: int) -> None:
    """Counts events of the key that sent them. Raises KeyLimitReached; then none of them is stored."""
    _count("events", events)


def _count(kind: str, amount: int) -> None:
    limits: KeyLimits | None = current_app.config.get(LIMITS_KEY)
    key = g.get("api_key")
    if limits is not None and key is not None:
        limits.count(key.key_id, kind, amount)

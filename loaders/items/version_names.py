"""Names of index versions: items-<fingerprint>-<time>, unique and in the order they were made."""

from collections.abc import Collection
from datetime import UTC, datetime

from reelrank.index_mappings.fingerprint import compute_index_fingerprint


def choose_version_name(existing: Collection[str], now: datetime) -> str:
    """A name that is not taken; a second load within a second gets a number."""
    name = f"items-{compute_index_fingerprint()}-{now.astimezone(UTC):%Y%m%dT%H%M%S}"
    names = (name if number == 1 else f"{name}-{number}" for number in range(1, len(existing) + 2))
    return next(each for each in names if each not in existing)

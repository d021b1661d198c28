"""Names of index versions: items-<fingerprint>-<time>, unique and sorted by creation."""

from collections.abc import Collection
from datetime import UTC, datetime

from reelrank.index_mappings.fingerprint import compute_index_fingerprint


def choose_version_name(existing: Collection[str], now: datetime) -> str:
    """Return an unused name; a second version within a second gets the suffix -2."""
    stem = f"items-{compute_index_fingerprint()}-{now.astimezone(UTC):%Y%m%dT%H%M%S}"
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(existing) + 2))
    return next(name for name in names if name not in existing)

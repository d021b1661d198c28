"""Labels from watch time: which items a viewer went on to watch, and the gain of each."""

from collections.abc import Iterable

import numpy as np

from reelrank.index_mappings.event import Event
from reelrank.ranking.viewers.history import compute_watched_share

HORIZON_MS = 24 * 3_600_000
"""Items watched within a day of a page count as relevant to it."""
MAX_RELEVANT = 20
"""Next watches that count as relevant to a page, the earliest first. A choice; no measurement is recorded."""
MIN_SHARE = 0.2
"""Watching less than this is a quick skip: not relevant."""
GOOD_SHARE, BEST_SHARE = 0.4, 0.7
"""Watched shares from which `to_gain` gives 2 and 3. A choice; no measurement is recorded."""


def find_relevant(events: Iterable[Event], at_ms: int, seen: set[str]) -> dict[str, float]:
    """Returns the next watches within the horizon of items not seen before, with their gains."""
    gains: dict[str, float] = {}
    for event in events:
        if event.kind != "watch" or not at_ms <= event.at_ms < at_ms + HORIZON_MS or event.item in seen:
            continue
        gain = to_gain(compute_watched_share(event.watched_ms, event.duration_ms))
        if gain > 0 and len(gains) < MAX_RELEVANT:
            gains[event.item] = max(gain, gains.get(event.item, 0.0))
    return gains


def to_gain(share: float) -> float:
    """Returns 3 for nearly all watched, 2 for a good part, 1 for less or unknown, 0 for a quick skip."""
    if np.isnan(share):
        return 1.0
    return 0.0 if share < MIN_SHARE else 1.0 if share < GOOD_SHARE else 2.0 if share < BEST_SHARE else 3.0

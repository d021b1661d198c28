"""Labels: which items a viewer went on to watch or like after a page, and the gain of each."""

from collections.abc import Iterable

import numpy as np

from reelrank.index_mappings.event import OPINION_KINDS, Event
from reelrank.index_mappings.event_store import select_newest_opinions
from reelrank.ranking.items.engagements import QUICK_SKIP_SHARE, compute_watched_share
from reelrank.ranking.viewers.history import LIKES

HORIZON_MS = 24 * 3_600_000
"""Items watched or liked within a day of a page count as relevant to it."""
MAX_RELEVANT = 20
"""Next items that count as relevant to a page, the earliest first. A choice; no measurement is recorded."""
GOOD_SHARE, BEST_SHARE = 0.4, 0.7
"""Watched shares from which `to_gain` gives 2 and 3. A choice; no measurement is recorded."""
LIKE_GAIN = 3.0
"""The gain of a liked item: that of one that was watched to the end."""


def find_relevant(events: Iterable[Event], at_ms: int, seen: set[str]) -> dict[str, float]:
    """Returns the next items within the horizon that were not seen before, with their gains above 0.

    A quick skip has no gain. An opinion within the horizon outweighs the watch, unless it was undone.
    events: in the order of time.
    """
    return collect_gains([e for e in events if at_ms <= e.at_ms < at_ms + HORIZON_MS], seen)


def collect_gains(events: Iterable[Event], seen: set[str]) -> dict[str, float]:
    """Returns the first MAX_RELEVANT items of these events, in the order of time, that were not seen before,
    with their gains above 0."""
    following = [e for e in events if e.item not in seen]
    opinions = select_newest_opinions(following)
    gains: dict[str, float] = {}
    for event in following:
        gain = _to_gain_of_event(event, opinions.get(event.item))
        if gain > 0 and (event.item in gains or len(gains) < MAX_RELEVANT):
            gains[event.item] = max(gain, gains.get(event.item, 0.0))
    return gains


def to_gain(share: float) -> float:
    """Returns 3 for nearly all watched, 2 for a good part, 1 for less or unknown, 0 for a quick skip."""
    if np.isnan(share):
        return 1.0
    if share < QUICK_SKIP_SHARE:
        return 0.0
    return 1.0 if share < GOOD_SHARE else 2.0 if share < BEST_SHARE else 3.0


def _to_gain_of_event(event: Event, opinion: str | None) -> float:
    if opinion is not None:
        is_use = event.kind == "watch" or event.kind in OPINION_KINDS
        return LIKE_GAIN if opinion in LIKES and is_use else 0.0
    if event.kind != "watch":
        return 0.0
    return to_gain(compute_watched_share(event.watched_ms, event.duration_ms))

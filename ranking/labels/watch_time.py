"""Labels: which items a viewer went on to watch or like after a page, and the gain of each."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter

import numpy as np

from reelrank.index_mappings.event import DAY_MS, LIKE_KINDS, OPINION_KINDS, Event
from reelrank.index_mappings.event_store import select_newest_opinions
from reelrank.ranking.labels.grades import LIKE_GRADE, Grader

HORIZON_MS = DAY_MS
"""Items watched or liked within a day of a page count as relevant to it."""
_get_at_ms = attrgetter("at_ms")
BY_WATCHED_SHARE = Grader()
"""What evaluation measures by, whatever label a model learned from."""


def select_following(events: Sequence[Event], at_ms: int) -> Sequence[Event]:
    """Selects the events within the horizon from `at_ms` on. events: in the order of time."""
    begin = bisect_left(events, at_ms, key=_get_at_ms)
    return events[begin : bisect_left(events, at_ms + HORIZON_MS, begin, key=_get_at_ms)]


def find_relevant(
    events: Sequence[Event], at_ms: int, seen: set[str], grader: Grader = BY_WATCHED_SHARE
) -> dict[str, float]:
    """Returns the next items within the horizon that were not seen before, with their gains above 0.

    A quick skip has no gain. An opinion within the horizon outweighs the watch, unless it was undone.
    events: in the order of time. grader: grades the plays.
    """
    return collect_gains(select_following(events, at_ms), seen, grader)


def collect_gains(
    events: Iterable[Event], seen: set[str], grader: Grader = BY_WATCHED_SHARE
) -> dict[str, float]:
    """Returns the items of these events that were not seen before, with their gains above 0.

    However many they are: who watches fifty items in a day wanted fifty.
    """
    following = [e for e in events if e.item not in seen]
    opinions = select_newest_opinions(following)
    gains: dict[str, float] = {}
    for event, grade in zip(following, _grade_watches(following, grader), strict=True):
        gain = _to_gain(event, grade, opinions.get(event.item))
        if gain > 0:
            gains[event.item] = max(gain, gains.get(event.item, 0.0))
    return gains


def _grade_watches(events: Sequence[Event], grader: Grader) -> list[float]:
    """Returns the grade of each event that is a watch, and 0 for others."""
    times = np.array([(event.watched_ms, event.duration_ms) for event in events], np.float64).reshape(-1, 2)
    grades = grader.grade_plays(times[:, 0], times[:, 1])
    return [
        float(grade) if event.kind == "watch" else 0.0
        for event, grade in zip(events, grades.tolist(), strict=True)
    ]


def _to_gain(event: Event, grade: float, opinion: str | None) -> float:
    if opinion is None:
        return grade
    is_use = event.kind == "watch" or event.kind in OPINION_KINDS
    return float(LIKE_GRADE) if opinion in LIKE_KINDS and is_use else 0.0

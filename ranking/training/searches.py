"""Searches for the backtest: real ones from `search` events, simulated ones typed as people type titles."""

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np

from reelrank.index_mappings.event import Event
from reelrank.ranking.evaluation.known_items import misspell

SEARCH_GAP_MS = 10 * 60_000
"""A search leads to a watch that begins within ten minutes, as an impression does to be taken up."""
MOST_WORDS = 3
SHORTEST_PREFIX = 3


def find_search(events: Sequence[Event], watch: Event) -> Event | None:
    """Returns the search that led to a watch: of the same page, or the last action before the watch.

    events: of one viewer, in the order of time.
    """
    until = bisect_right(events, watch.at_ms, key=lambda event: event.at_ms)
    for event in reversed(events[:until]):
        if event.at_ms < watch.at_ms - SEARCH_GAP_MS:
            return None
        if event.kind == "search" and event.text:
            is_other_page = watch.request_id and event.request_id and watch.request_id != event.request_id
            return None if is_other_page else event
        if event.kind == "watch" and event.id != watch.id:
            return None
    return None


def simulate_search(title: str, rng: np.random.Generator) -> str:
    """Types a title in one of the ways of TYPED_FORMS. An empty title stays empty."""
    if not title.split():
        return ""
    chance = random.Random(int(rng.integers(2**63)))
    forms, shares = zip(*TYPED_FORMS, strict=True)
    form = chance.choices(forms, shares)[0]
    return str(form(title, chance))


def _pick_words(title: str, chance: random.Random) -> str:
    """Picks one to three words, in order, as a viewer who half remembers the title would type."""
    words = title.split()
    count = min(len(words), chance.randint(1, MOST_WORDS))
    return " ".join(words[n] for n in sorted(chance.sample(range(len(words)), count)))


def _type_whole(title: str, _chance: random.Random) -> str:
    return title


def _type_half(title: str, chance: random.Random) -> str:
    shortest = min(SHORTEST_PREFIX, len(title))
    return title[: chance.randint(shortest, len(title))].strip() or title


def _misspell(title: str, chance: random.Random) -> str:
    typed = title if chance.random() < 0.5 else _pick_words(title, chance)
    return misspell(typed, chance) or typed


def _capitalize(title: str, chance: random.Random) -> str:
    return (title if chance.random() < 0.5 else _pick_words(title, chance)).upper()


TYPED_FORMS: tuple[tuple[Callable[[str, random.Random], str], float], ...] = (
    (_pick_words, 0.4),
    (_type_whole, 0.2),
    (_type_half, 0.15),
    (_misspell, 0.15),
    (_capitalize, 0.1),
)
"""Ways of typing a title, and the share of each. The shares are a choice; no public log of film searches
states them."""

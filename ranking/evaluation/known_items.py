"""Known-item search: queries whose answer is known, made from the catalogue that serves.

A searcher has one video in mind and types its title in some way. Success@k is the share of queries whose
video is among the first k results. No event is needed: any catalogue can be measured before it is watched.
"""

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reelrank.index_mappings.item import Item
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_difference, bootstrap_interval

QUERIES_PER_KIND = 400
"""The smallest number of queries that can detect a difference of 0.01."""
TYPO_MIN_LETTERS = 5
PREFIX_MIN_LETTERS = 9
PREFIX_SHARE = 0.6
PERSON_MIN_ITEMS = 3
DEPTH = 10
WATCH_BANDS = {
    "never watched": (0, 0),
    "watched 1 to 9 times": (1, 9),
    "watched 10 times and more": (10, 2**62),
}
LETTERS = "abcdefghijklmnopqrstuvwxyz"

Search = Callable[[str], Sequence[str]]
"""Text to item ids, best first; the first DEPTH are judged."""


@dataclass(frozen=True, slots=True)
class KnownItemQuery:
    """A typed text, and the items that it is typed for.

    relevant: the item that is sought; for a person all of their items.
    """

    kind: str
    text: str
    relevant: frozenset[str]


@dataclass(frozen=True, slots=True)
class KnownItemResult:
    """One kind of query on one system. first, third: success@1 and success@3; for `person`, the share of the
    first ten (or of as many as there are) that are the person's, in both. difference: of `first` from the
    baseline, paired by query; None for the baseline itself.
    """

    kind: str
    system: str
    queries: int
    first: Interval
    third: Interval
    difference: Interval | None


Variant = Callable[[Item, random.Random], str | None]


def generate_queries(
    items: Sequence[Item], per_kind: int = QUERIES_PER_KIND, seed: int = 0
) -> list[KnownItemQuery]:
    """Returns up to `per_kind` queries of each kind, sampled uniformly from titles that occur once.

    The same items, count and seed give the same queries, in any order of the items.
    """
    ordered = sorted(items, key=lambda item: item.id)
    unique = _find_unique(ordered)
    queries: list[KnownItemQuery] = []
    for kind, variant in VARIANTS.items():
        rng = random.Random(f"{seed} {kind}")
        count = 0
        for item in rng.sample(unique, len(unique)):
            text = variant(item, rng)
            if text and count < per_kind:
                queries.append(KnownItemQuery(kind, text, frozenset((item.id,))))
                count += 1
    return queries + _generate_person_queries(ordered, per_kind, seed)


def generate_queries_by_watches(
    items: Sequence[Item], watches: Mapping[str, int], per_kind: int = QUERIES_PER_KIND, seed: int = 0
) -> list[KnownItemQuery]:
    """Returns exact titles of items that were watched never, rarely or often: a kind for each of WATCH_BANDS.

    watches: how often each item was watched, by its id.
    """
    unique = _find_unique(sorted(items, key=lambda item: item.id))
    queries = []
    for kind, (low, high) in WATCH_BANDS.items():
        band = [item for item in unique if low <= watches.get(item.id, 0) <= high]
        chosen = random.Random(f"{seed} {kind}").sample(band, min(per_kind, len(band)))
        queries += [KnownItemQuery(kind, item.title, frozenset((item.id,))) for item in chosen]
    return queries


def _find_unique(items: Sequence[Item]) -> list[Item]:
    """Returns the items whose title occurs once, in any case."""
    counts = Counter(item.title.casefold() for item in items)
    return [item for item in items if counts[item.title.casefold()] == 1]


def measure_known_items(
    queries: Sequence[KnownItemQuery], systems: Mapping[str, Search], baseline: str, seed: int = 0
) -> list[KnownItemResult]:
    """Returns a result for each kind and system. Raises KeyError when `baseline` is not among the systems."""
    kinds = list(dict.fromkeys(query.kind for query in queries))
    scores = {
        name: np.array([_judge(query, search) for query in queries]) for name, search in systems.items()
    }
    results = []
    for kind in kinds:
        rows = np.array([query.kind == kind for query in queries])
        base = scores[baseline][rows]
        for name in systems:
            values = scores[name][rows]
            results.append(
                KnownItemResult(
                    kind,
                    name,
                    int(rows.sum()),
                    bootstrap_interval(values[:, 0], seed),
                    bootstrap_interval(values[:, 1], seed),
                    None if name == baseline else bootstrap_difference(values[:, 0], base[:, 0], seed),
                )
            )
    return results


def _judge(query: KnownItemQuery, search: Search) -> tuple[float, float]:
    is_relevant = [item_id in query.relevant for item_id in list(search(query.text))[:DEPTH]]
    if query.kind == "person":
        share = sum(is_relevant) / min(DEPTH, len(query.relevant))
        return share, share
    return float(any(is_relevant[:1])), float(any(is_relevant[:3]))


def _generate_person_queries(items: Sequence[Item], per_kind: int, seed: int) -> list[KnownItemQuery]:
    """Generates names of people with several items; films of namesakes are relevant too."""
    by_person: dict[str, set[str]] = {}
    for item in items:
        for person in item.people:
            by_person.setdefault(person, set()).add(item.id)
    names = sorted(name for name, ids in by_person.items() if len(ids) >= PERSON_MIN_ITEMS and " " in name)
    chosen = random.Random(f"{seed} person").sample(names, min(per_kind, len(names)))
    return [KnownItemQuery("person", name, frozenset(by_person[name])) for name in chosen]


def misspell(title: str, rng: random.Random) -> str | None:
    """Returns the title with one transposition, deletion or substitution inside a word of five letters up.

    Never the word's first or last letter. None when there is no such word.
    """
    words = title.split()
    positions = [p for p, word in enumerate(words) if len(word) >= TYPO_MIN_LETTERS and word.isalpha()]
    if not positions:
        return None
    position = rng.choice(positions)
    words[position] = _misspell_word(words[position], rng)
    return " ".join(words)


def _misspell_word(word: str, rng: random.Random) -> str:
    kind = rng.choice(("transposition", "deletion", "substitution"))
    index = rng.randrange(1, len(word) - 1)
    if kind == "deletion":
        return word[:index] + word[index + 1 :]
    if kind == "substitution":
        return word[:index] + rng.choice([c for c in LETTERS if c != word[index].lower()]) + word[index + 1 :]
    swaps = [p for p in range(1, len(word) - 2) if word[p] != word[p + 1]]
    if not swaps:
        return word[:index] + word[index + 1 :]
    index = rng.choice(swaps)
    return word[:index] + word[index + 1] + word[index] + word[index + 2 :]


def _take_prefix(item: Item, _rng: random.Random) -> str | None:
    title = item.title
    return title[: int(PREFIX_SHARE * len(title))].rstrip() if len(title) >= PREFIX_MIN_LETTERS else None


def _reorder(item: Item, rng: random.Random) -> str | None:
    words = item.title.split()
    if len(words) < 3:
        return None
    shuffled = rng.sample(words, len(words))
    return " ".join(shuffled if shuffled != words else words[::-1])


def _decompose(item: Item, _rng: random.Random) -> str | None:
    decomposed = unicodedata.normalize("NFD", item.title)
    return decomposed if decomposed != item.title else None


def _add_person(item: Item, rng: random.Random) -> str | None:
    """Returns a person of the video and the longest word of its title."""
    words = [word for word in item.title.split() if len(word) > 3]
    return f"{rng.choice(item.people)} {max(words, key=len)}" if item.people and words else None


VARIANTS: dict[str, Variant] = {
    "exact": lambda item, _: item.title,
    "capitals": lambda item, _: item.title.upper(),
    "decomposed": _decompose,
    "typo": lambda item, rng: misspell(item.title, rng),
    "prefix": _take_prefix,
    "reordered": _reorder,
    "title and year": lambda item, _: f"{item.title} {item.year}" if item.year else None,
    "person and word": _add_person,
}
"""Kinds of queries for one title; None where a title does not lend itself to the kind."""


def tabulate(results: Sequence[KnownItemResult]) -> list[tuple[str, ...]]:
    """Returns a header and a row for each result: kind, system, queries, success@1, success@3, difference."""
    header = ("kind", "system", "queries", "success@1", "success@3", "difference from the baseline")
    rows = [
        (r.kind, r.system, str(r.queries), str(r.first), str(r.third), str(r.difference or "-"))
        for r in results
    ]
    return [header, *rows]

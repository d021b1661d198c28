"""Requests of typed words, with filters and vectors, asked of two engines that hold the same documents."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.clock import time_interleaved
from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.engine import Matcher, NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.index_mappings.query import NO_FILTERS, Filters

Request = TextMatch | VectorMatch | NeighbourMatch
FIRST, TIMEOUT_S = 10, 10.0
SEEDS = 5


@dataclass(frozen=True, slots=True)
class Congruence:
    """How many requests of a kind found the same first ten on both engines, as sets and in the same order.

    unfiltered: those of them without a filter.
    """

    kind: str
    requests: int
    same: int
    same_order: int
    unfiltered: int
    unfiltered_same: int


@dataclass(frozen=True, slots=True)
class Recall:
    """Recall of the first `limit` against an exact answer, over queries of typed words."""

    limit: int
    queries: int
    mean: float
    worst: float
    worst_query: str


def pick_words(rng: random.Random, items: Sequence[Item]) -> str:
    """Returns one to three words of a title, as they are typed."""
    words = rng.choice(items).title.split()
    start = rng.randrange(len(words))
    return " ".join(words[start : start + rng.randint(1, 3)]).lower()


def pick_filters(rng: random.Random, items: Sequence[Item]) -> Filters:
    """Returns no filter, or one that at least one item passes."""
    item = rng.choice(items)
    choices = [
        NO_FILTERS,
        Filters(genres=item.genres[:1]),
        Filters(languages=item.languages[:1]),
        Filters(countries=item.countries[:1], year_min=1970),
        Filters(year_min=item.year, year_max=item.year),
        Filters(genres=item.genres, duration_max_s=7200),
    ]
    return rng.choice(choices)


def generate_requests(documents: Sequence[Document], encoder: TextEncoder, count: int) -> list[Request]:
    """Generates `count` requests each of words, of their vector, of learned vectors and of neighbours."""
    rng, items = random.Random(1), [document.item for document in documents]
    learned = [document.vectors["factors"] for document in documents if "factors" in document.vectors]
    requests: list[Request] = []
    for _ in range(count):
        words, filters = pick_words(rng, items), pick_filters(rng, items)
        vector, factors = encoder.encode([words])[0], rng.choice(learned)
        seeds = tuple(Neighbour(rng.choice(items).id, round(rng.uniform(0.1, 1), 2)) for _ in range(SEEDS))
        requests += [
            TextMatch("bm25", words, FIRST, filters),
            VectorMatch("text_knn", "text", vector, FIRST, filters),
            VectorMatch("factors", "factors", factors, FIRST, filters),
            NeighbourMatch("neighbours", seeds, FIRST, filters),
        ]
    return requests


def list_matches(matcher: Matcher, request: Request) -> list[bytes]:
    """Returns the ids that answer a request, best first."""
    match request:
        case TextMatch():
            found = matcher.match_text(request, TIMEOUT_S)
        case VectorMatch():
            found = matcher.match_vector(request, TIMEOUT_S)
        case _:
            found = matcher.match_ids(request, TIMEOUT_S)
    return list(found.ids.tolist())


def measure_congruence(requests: Sequence[Request], embedded: Matcher, server: Matcher) -> list[Congruence]:
    """Returns a count for each kind of request."""
    answers = [(list_matches(embedded, request), list_matches(server, request)) for request in requests]
    counts = []
    for kind in dict.fromkeys(request.source for request in requests):
        rows = [
            (*pair, request.filters.is_empty)
            for request, pair in zip(requests, answers, strict=True)
            if request.source == kind
        ]
        counts.append(
            Congruence(
                kind,
                len(rows),
                sum(set(a) == set(b) for a, b, _ in rows),
                sum(a == b for a, b, _ in rows),
                sum(empty for _, _, empty in rows),
                sum(set(a) == set(b) for a, b, empty in rows if empty),
            )
        )
    return counts


class ExactVectors:
    """The text vectors of documents, for exact nearest neighbours."""

    def __init__(self, documents: Sequence[Document]) -> None:
        having = [document for document in documents if "text" in document.vectors]
        self.items = [document.item for document in documents]
        self.ids = encode_item_ids(document.item.id for document in having)
        self.vectors = np.stack([document.vectors["text"] for document in having])

    def find_nearest(self, request: VectorMatch) -> ItemIds:
        """Returns the ids of the nearest vectors; ties in the order of ids."""
        return self.ids[np.lexsort((self.ids, -(self.vectors @ request.vector)))[: request.limit]]

    def generate(self, encoder: TextEncoder, count: int, limit: int) -> dict[str, VectorMatch]:
        """Generates requests by the words that they stand for; the same words for each limit."""
        rng = random.Random(2)
        requests: dict[str, VectorMatch] = {}
        while len(requests) < count:
            words = pick_words(rng, self.items)
            requests[words] = VectorMatch("text_knn", "text", encoder.encode([words])[0], limit)
        return requests


def measure_recall(requests: Mapping[str, VectorMatch], exact: ExactVectors, matcher: Matcher) -> Recall:
    recalls = {
        words: float(np.isin(exact.find_nearest(request), list_matches(matcher, request)).mean())
        for words, request in requests.items()
    }
    worst = min(recalls, key=recalls.__getitem__)
    limit = next(iter(requests.values())).limit
    return Recall(limit, len(recalls), float(np.mean(list(recalls.values()))), recalls[worst], worst)


def measure_cost(requests: Sequence[VectorMatch], present: Matcher, former: Matcher) -> dict[str, Any]:
    """Times both alternately on the same requests; `bare` in the result is the former."""
    send: Callable[[Matcher], Callable[[VectorMatch], object]] = lambda matcher: (  # noqa: E731
        lambda request: matcher.match_vector(request, TIMEOUT_S)
    )
    return time_interleaved(send(present), send(former), requests).to_dict()


def to_rows(results: Sequence[Congruence | Recall]) -> list[dict[str, Any]]:
    return [asdict(result) for result in results]

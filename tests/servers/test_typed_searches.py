"""Searches as people type them, on films of the demo: every server answers as the embedded engine does."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.jobs.known_items import WITHOUT_MODEL, build_systems
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.encoder import WordLlamaEncoder
from reelrank.index_mappings.engine import Matcher, NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.query import NO_FILTERS, Filters
from reelrank.loaders.demo import read_demo_items
from reelrank.loaders.items.catalogue import LoadOptions, encode_documents, publish
from reelrank.ranking.evaluation.known_items import generate_queries, measure_known_items
from tests.servers.server import Server, build_kind_params, create_prefix

FILMS, QUERIES, LIMIT, TIMEOUT_S = 3_000, 80, 10, 10.0
MIN_RECALL, MIN_CONGRUENT = 0.97, 0.95
FLOORS = {"exact": 0.975, "capitals": 0.975, "decomposed": 0.975, "typo": 0.85, "prefix": 0.65}
"""Share of known items that are first, from the goals of the project."""
ENCODER = WordLlamaEncoder()

pytestmark = pytest.mark.parametrize("server", build_kind_params(), indirect=True)


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The same documents on the embedded engine and on a server."""

    documents: Sequence[Document]
    embedded: Matcher
    container: Container

    @property
    def remote(self) -> Matcher:
        return self.container.engine


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    rng = np.random.default_rng(0)
    films = random.Random(0).sample(list(read_demo_items()), FILMS)
    learned = rng.normal(size=(FILMS, 64)).astype(np.float32)
    learned /= np.linalg.norm(learned, axis=1, keepdims=True)
    encoded = (document for batch in encode_documents(films, ENCODER) for document in batch)
    return [
        Document(
            document.item,
            {**document.vectors, "factors": learned[number]},
            tuple(Neighbour(films[n].id, 1.0) for n in rng.choice(FILMS, 8, replace=False) if n != number),
        )
        for number, document in enumerate(encoded)
    ]


_loaded: dict[str, Sides] = {}


@pytest.fixture
def sides(server: Server, documents: list[Document], tmp_path_factory: pytest.TempPathFactory) -> Sides:
    """Loads each server once."""
    if server.kind not in _loaded:
        home = Path(tmp_path_factory.mktemp("typed"))
        settings = {"data_dir": home / "data", "deadline_ms": 5000, **server.build_settings(create_prefix())}
        container = build_container(Settings.model_validate(settings))
        embedded = EmbeddedEngine(home / "embedded")
        for engine in (embedded, container.engine):
            publish([documents], engine, LoadOptions(created_at=container.clock.now()))
        _loaded[server.kind] = Sides(documents, embedded, container)
    return _loaded[server.kind]


def pick_words(rng: random.Random, items: Sequence[Item]) -> str:
    """Returns one to three words of a title, as they are typed."""
    words = rng.choice(items).title.split()
    start = rng.randrange(len(words))
    return " ".join(words[start : start + rng.randint(1, 3)]).lower()


def pick_filters(rng: random.Random, items: Sequence[Item]) -> Filters:
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


def list_ids(matcher: Matcher, request: TextMatch | VectorMatch | NeighbourMatch) -> list[bytes]:
    match request:
        case TextMatch():
            found = matcher.match_text(request, TIMEOUT_S)
        case VectorMatch():
            found = matcher.match_vector(request, TIMEOUT_S)
        case _:
            found = matcher.match_ids(request, TIMEOUT_S)
    return list(found.ids.tolist())


def generate_requests(
    documents: Sequence[Document], count: int
) -> list[TextMatch | VectorMatch | NeighbourMatch]:
    rng, items = random.Random(1), [document.item for document in documents]
    requests: list[TextMatch | VectorMatch | NeighbourMatch] = []
    for _ in range(count):
        words, filters = pick_words(rng, items), pick_filters(rng, items)
        vector = ENCODER.encode([words])[0]
        factors = rng.choice(documents).vectors["factors"]
        seeds = tuple(Neighbour(rng.choice(items).id, round(rng.uniform(0.1, 1), 2)) for _ in range(5))
        requests += [
            TextMatch("bm25", words, LIMIT, filters),
            VectorMatch("text_knn", "text", vector, LIMIT, filters),
            VectorMatch("factors", "factors", factors, LIMIT, filters),
            NeighbourMatch("neighbours", seeds, LIMIT, filters),
        ]
    return requests


def test_random_requests_find_the_same_first_ten(sides: Sides) -> None:
    requests = generate_requests(sides.documents, QUERIES)
    differing = [
        request
        for request in requests
        if set(list_ids(sides.embedded, request)) != set(list_ids(sides.remote, request))
    ]
    assert len(differing) <= (1 - MIN_CONGRUENT) * len(requests), differing[:3]


def test_typed_words_find_their_nearest_vectors(sides: Sides) -> None:
    rng = random.Random(2)
    vectors = np.stack([document.vectors["text"] for document in sides.documents])
    ids = np.array([document.item.id.encode() for document in sides.documents])
    recalls = []
    for _ in range(QUERIES):
        words = pick_words(rng, [document.item for document in sides.documents])
        vector = ENCODER.encode([words])[0]
        exact = ids[np.lexsort((ids, -(vectors @ vector)))[:LIMIT]]
        recalls.append(
            np.isin(exact, list_ids(sides.remote, VectorMatch("knn", "text", vector, LIMIT))).mean()
        )
    assert np.mean(recalls) >= MIN_RECALL, sorted(recalls)[:5]


def test_known_items_are_first_however_they_are_typed(sides: Sides) -> None:
    queries = generate_queries([document.item for document in sides.documents], QUERIES)
    search = build_systems(sides.container)[WITHOUT_MODEL]
    chosen = [query for query in queries if query.kind in FLOORS]
    results = measure_known_items(chosen, {WITHOUT_MODEL: search}, WITHOUT_MODEL)
    first = {each.kind: each.first.mean for each in results}
    assert {kind: first[kind] for kind in FLOORS if first[kind] < FLOORS[kind]} == {}

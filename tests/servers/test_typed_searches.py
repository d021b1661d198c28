"""Searches as people type them, on films of the demo: every server answers as the embedded engine does."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.relevance.typed_requests import (
    ExactVectors,
    generate_requests,
    measure_congruence,
    measure_recall,
)
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.jobs.known_items import WITHOUT_MODEL, build_systems
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.encoder import WordLlamaEncoder
from reelrank.index_mappings.engine import Matcher
from reelrank.index_mappings.item import Document, Neighbour
from reelrank.loaders.demo import read_demo_items
from reelrank.loaders.items.catalogue import LoadOptions, encode_documents, publish
from reelrank.ranking.evaluation.known_items import generate_queries, measure_known_items
from tests.servers.server import Server, build_kind_params, create_prefix

FILMS, QUERIES, LIMIT = 3_000, 80, 10
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


def test_random_requests_find_the_same_first_ten(sides: Sides) -> None:
    requests = generate_requests(sides.documents, ENCODER, QUERIES)
    counts = measure_congruence(requests, sides.embedded, sides.remote)
    assert sum(kind.same for kind in counts) >= MIN_CONGRUENT * len(requests), counts


def test_typed_words_find_their_nearest_vectors(sides: Sides) -> None:
    exact = ExactVectors(sides.documents)
    recall = measure_recall(exact.generate(ENCODER, QUERIES, LIMIT), exact, sides.remote)
    assert recall.mean >= MIN_RECALL, recall


def test_known_items_are_first_however_they_are_typed(sides: Sides) -> None:
    queries = generate_queries([document.item for document in sides.documents], QUERIES)
    search = build_systems(sides.container)[WITHOUT_MODEL]
    chosen = [query for query in queries if query.kind in FLOORS]
    results = measure_known_items(chosen, {WITHOUT_MODEL: search}, WITHOUT_MODEL)
    first = {each.kind: each.first.mean for each in results}
    assert {kind: first[kind] for kind in FLOORS if first[kind] < FLOORS[kind]} == {}

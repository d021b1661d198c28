"""kNN recall against exact search on clustered vectors, without filters and with selective ones."""

from datetime import UTC, datetime

import numpy as np
import pytest

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.index_mappings.engine import VectorMatch
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import NO_FILTERS, Filters
from tests.servers.server import build_kind_params

N, SIZE, CLUSTERS, QUERIES = 10_000, 64, 100, 20
TENTH, HUNDREDTH = Filters(genres=("tenth",)), Filters(year_min=2000, year_max=2000)


@pytest.mark.parametrize("server", build_kind_params(), indirect=True)
def test_recall_at_10_is_at_least_95_percent_with_and_without_filters(engine: ServerEngine) -> None:
    random = np.random.default_rng(7)
    centres = random.normal(size=(CLUSTERS, SIZE))
    vectors = centres[random.integers(CLUSTERS, size=N)] + 0.4 * random.normal(size=(N, SIZE))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    tenth, years = random.random(N) < 0.1, random.integers(1950, 2050, size=N)
    documents = [
        Document(
            Item(
                f"i{n}",
                "film",
                genres=("tenth",) if tenth[n] else ("other",),
                published_at=datetime(int(years[n]), 6, 1, tzinfo=UTC),
            ),
            {"factors": vectors[n]},
        )
        for n in range(N)
    ]
    engine.create_index("items-1")
    for start in range(0, N, 1000):
        assert engine.write("items-1", documents[start : start + 1000]).written == 1000
    engine.promote("items-1")
    ids = encode_item_ids(f"i{n}" for n in range(N))
    passing = {NO_FILTERS: np.ones(N, bool), TENTH: tenth, HUNDREDTH: years == 2000}
    recalls = {filters: list[float]() for filters in passing}
    for query in vectors[random.integers(N, size=QUERIES)]:
        for filters, passes in passing.items():
            exact = ids[np.argsort(-np.where(passes, vectors @ query, -2))[:10]]
            found = engine.match_vector(VectorMatch("knn", "factors", query, 10, filters), 10.0).ids
            recalls[filters].append(float(np.isin(exact, found).mean()))
    worst = {filters: np.mean(values) for filters, values in recalls.items()}
    assert min(worst.values()) >= 0.95, worst

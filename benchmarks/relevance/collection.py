"""SciFact through the product's ranking pipeline: NDCG@10 in each letter case, beside BM25 alone.

The product ranks it as a catalogue without events: without a model, degraded, and with a model that was
trained on other data.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.datasets import QuerySet, read_items, read_queries
from reelrank.app.jobs.known_items import BASELINE, DEGRADED, SERVED, WITHOUT_MODEL
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_difference, bootstrap_interval
from reelrank.ranking.evaluation.order_measures import compute_ndcg
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.pipeline import RankingContext, SourceAnswers, rank_request
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.retrieval.sources import SourceRequest, query_source
from reelrank.ranking.viewers.history import build_anonymous_viewer
from reelrank.ranking.viewers.query_vectors import build_request

CASES: Mapping[str, Callable[[str], str]] = {
    "as written": str,
    "lower case": str.lower,
    "capitals": str.upper,
}
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class CollectionResult:
    """NDCG@10 of one system on the test queries in one letter case; difference: minus BM25's, paired."""

    case: str
    system: str
    queries: int
    ndcg: Interval
    difference: Interval | None


def measure_collection(ranker: Ranker | None, limit: int, progress: Progress) -> list[CollectionResult]:
    """Measures at most `limit` test queries. ranker: the trained one, if any. Raises DatasetMissing."""
    queries = read_queries("test").take(limit)
    results = []
    with _load_collection(progress) as (container, table):
        config = container.config
        bare = replace(config, limits=replace(config.limits, text_knn=0))
        systems: dict[str, tuple[Ranker, RankingConfig]] = {}
        if ranker is not None:
            systems[SERVED] = (ranker, config)
        systems |= {WITHOUT_MODEL: (FusedOrder(), config), DEGRADED: (FusedOrder(), bare)}
        for case, write in CASES.items():
            texts = {name: write(queries.texts[name]) for name in queries.relevant}
            values = {BASELINE: _measure(queries, texts, lambda text: _match(container, text))}
            for name, (system_ranker, system_config) in systems.items():

                def rank(
                    text: str, system_ranker: Ranker = system_ranker, config: RankingConfig = system_config
                ) -> ItemIds:
                    return _rank(text, container, table, (system_ranker, config))

                values[name] = _measure(queries, texts, rank)
                progress(f"ranking SciFact, {case}, {name}", len(texts), len(texts))
            results += _compare(case, values)
    return results


@contextmanager
def _load_collection(progress: Progress) -> Iterator[tuple[Container, ItemTable]]:
    with tempfile.TemporaryDirectory() as directory:
        container = build_container(Settings(data_dir=Path(directory)))
        options = LoadOptions(created_at=datetime.now(UTC))
        load_catalogue(read_items(), container.engine, container.encoder, options, progress)
        version = container.engine.serving_version() or ""
        table = build_table(Path(directory) / "table", version, container.engine.scan(version), None)
        yield container, table


def _match(container: Container, text: str) -> ItemIds:
    return container.engine.match_text(TextMatch(BASELINE, text, 10), TIMEOUT_S).ids


def _rank(text: str, container: Container, table: ItemTable, system: tuple[Ranker, RankingConfig]) -> ItemIds:
    ranker, config = system
    popularity = Popularity(len(table))
    request = build_request(Query(text=text), build_anonymous_viewer(), table, container.encoder)

    def run_sources(planned: Sequence[SourceRequest]) -> SourceAnswers:
        return SourceAnswers(
            [query_source(source, container.engine, table, popularity, TIMEOUT_S) for source in planned]
        )

    ranking = rank_request(request, RankingContext(table, popularity, ranker, config), run_sources)
    return ranking.found.candidates.ids[ranking.order[:10]]


def _measure(
    queries: QuerySet, texts: Mapping[str, str], search: Callable[[str], ItemIds]
) -> NDArray[np.float64]:
    values = []
    for name, text in texts.items():
        relevant = queries.relevant[name]
        found = np.isin(search(text)[:10], encode_item_ids(relevant))
        values.append(compute_ndcg(found, len(relevant)))
    return np.array(values)


def _compare(case: str, values: Mapping[str, NDArray[np.float64]]) -> list[CollectionResult]:
    base = values[BASELINE]
    return [
        CollectionResult(
            case,
            name,
            len(ndcg),
            bootstrap_interval(ndcg),
            None if name == BASELINE else bootstrap_difference(ndcg, base),
        )
        for name, ndcg in values.items()
    ]

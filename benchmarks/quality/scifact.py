"""SciFact (BEIR): text search, kNN, fusion and a ranker on a public search task."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.choosing import Choice, Params, choose
from benchmarks.quality.datasets import QuerySet, read_items, read_queries
from benchmarks.quality.encoders import (
    CachedEncoder,
    describe_missing,
    list_encoders,
    measure_ms_per_text,
    resize_text_field,
)
from benchmarks.quality.report import Goal, Report, Row, Value
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.engine import SearchEngine, TextMatch
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_difference, bootstrap_interval
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.evaluation.order_measures import (
    NDCG,
    compute_ndcg,
    measure_fused_order,
    measure_model_order,
    measure_source_order,
)
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.pipeline import RankingContext, SourceAnswers, rank_request
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.lambdarank import FusedOrder, LambdaRank
from reelrank.ranking.retrieval.sources import SourceRequest, query_source
from reelrank.ranking.training.backtest import build_judged_request
from reelrank.ranking.training.dataset import build_training_set
from reelrank.ranking.training.lambdarank import train_ranker
from reelrank.ranking.viewers.history import build_anonymous_viewer
from reelrank.ranking.viewers.query_vectors import build_request

NAME = "scifact"
MEASURE, GAIN = "NDCG@10", "NDCG@10 minus BM25's"
PUBLISHED = {"Anserini BM25, one field": 0.6789, "Anserini BM25, title and text": 0.6647}
GOAL = 0.66
"""Anserini's BM25 with the same two fields, minus a margin for another stemmer and stop list."""
TITLE_WEIGHTS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
GRID = {
    "num_leaves": (4, 7, 15),
    "min_data_in_leaf": (100, 300),
    "learning_rate": (0.03, 0.1),
    "num_threads": (1,),
}
SMALL_GRID = {"num_leaves": (7,), "min_data_in_leaf": (200,), "num_threads": (1,)}
TIMEOUT_S = 60.0
COST_SAMPLE_SIZE = 50
BM25 = "BM25"
Weights = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class SearchSetup:
    """The corpus in an engine, its item table, and the encoder of queries."""

    engine: SearchEngine
    table: ItemTable
    encoder: TextEncoder

    def build_judged_requests(self, queries: QuerySet, weights: Weights) -> list[JudgedRequest]:
        return [
            self._build_judged_request(queries.texts[name], relevant, weights)
            for name, relevant in queries.relevant.items()
        ]

    def measure_bm25(self, queries: QuerySet, weights: Weights) -> float:
        """Returns the mean NDCG@10 of BM25."""
        values = []
        for name, relevant in queries.relevant.items():
            matches = self.engine.match_text(
                TextMatch("bm25", queries.texts[name], 10, weights=weights), TIMEOUT_S
            )
            values.append(compute_ndcg(np.isin(matches.ids, encode_item_ids(relevant)), len(relevant)))
        return float(np.mean(values))

    def _build_judged_request(self, text: str, relevant: Sequence[str], weights: Weights) -> JudgedRequest:
        popularity = Popularity(len(self.table))
        request = build_request(Query(text=text), build_anonymous_viewer(), self.table, self.encoder)

        def run_sources(planned: Sequence[SourceRequest]) -> SourceAnswers:
            requests = [replace(r, weights=weights) if isinstance(r, TextMatch) else r for r in planned]
            return SourceAnswers(
                [query_source(r, self.engine, self.table, popularity, TIMEOUT_S) for r in requests]
            )

        context = RankingContext(self.table, popularity, FusedOrder(), RankingConfig())
        ranking = rank_request(request, context, run_sources)
        no_popularity = np.zeros(len(ranking.order), np.float32)
        return build_judged_request(request, ranking, dict.fromkeys(relevant, 1.0), no_popularity)


@dataclass(frozen=True, slots=True, eq=False)
class EncoderResult:
    """Results of an encoder on the test queries. values: measures by system. gain: ranker minus BM25."""

    encoder: str
    weights: Weights
    choice: Choice
    values: dict[str, dict[str, Value]]
    default_bm25: Interval
    tuned_bm25: Interval
    gain: Interval

    def to_rows(self) -> list[Row]:
        return [Row(f"{name}, {self.encoder}", row) for name, row in self.values.items() if name != BM25]


def measure(progress: Progress, small: bool = False) -> Report:
    """Chooses weights and parameters on the training queries and scores test once. Raises DatasetMissing."""
    parts = (read_queries("train"), read_queries("test"))
    if small:
        parts = (parts[0].take(150), parts[1].take(100))
    items = read_items()
    compared = [
        _evaluate_encoder(encoder, items, parts, small, progress)
        for encoder in list_encoders()[: 1 if small else None]
    ]
    first = compared[0]
    chosen = {
        result.encoder: {"weights": result.weights, "params": result.choice.params} for result in compared
    }
    scores = ", ".join(f"{result.encoder} {result.choice.score:.4f}" for result in compared)
    return Report(
        NAME,
        f"SciFact: {len(parts[0].relevant)} training and {len(parts[1].relevant)} test queries",
        MEASURE,
        [
            *(Row(name, {MEASURE: value}) for name, value in PUBLISHED.items()),
            Row("BM25, field weights of the product", {MEASURE: first.default_bm25}),
            Row("BM25, title weight chosen on train", first.values.pop(BM25)),
            *(row for result in compared for row in result.to_rows()),
        ],
        [] if small else _build_goals(first, compared),
        [
            f"title weight {first.weights[0][1]:g}, chosen of {len(TITLE_WEIGHTS)}; the text has weight 1",
            f"the ranker on held-out training queries: {scores}",
            *([describe_missing()] if describe_missing() else []),
        ],
        chosen,
    )


def _build_goals(first: "EncoderResult", results: Sequence["EncoderResult"]) -> list[Goal]:
    best = max(results, key=lambda result: result.gain.mean)
    return [
        Goal(f"BM25 {MEASURE}, title weight chosen on train", first.tuned_bm25.mean, GOAL),
        Goal(f"lower end of the interval of the ranker ({best.encoder}) minus BM25", best.gain.low, 0),
    ]


def _build_setup(
    directory: Path, items: Sequence[Item], encoder: CachedEncoder, progress: Progress
) -> SearchSetup:
    engine = EmbeddedEngine(directory / "engine")
    load_catalogue(items, engine, encoder, LoadOptions(created_at=datetime.now(UTC)), progress)
    encoder.save()
    version = engine.serving_version() or ""
    return SearchSetup(engine, build_table(directory / "table", version, engine.scan(version), None), encoder)


def _choose_weights(setup: SearchSetup, train: QuerySet) -> Weights:
    """Returns the best weight of the title beside a description weight of 1; of equal ones the first."""
    candidates = [(("title", title), ("description", 1.0)) for title in TITLE_WEIGHTS]
    return max(candidates, key=lambda weights: setup.measure_bm25(train, weights))


def _evaluate_encoder(
    encoder: TextEncoder,
    items: Sequence[Item],
    parts: tuple[QuerySet, QuerySet],
    small: bool,
    progress: Progress,
) -> "EncoderResult":
    with resize_text_field(encoder), tempfile.TemporaryDirectory() as directory:
        setup = _build_setup(Path(directory), items, CachedEncoder(encoder), progress)
        weights = _choose_weights(setup, parts[0])
        train, test = (setup.build_judged_requests(part, weights) for part in parts)
        plain = setup.build_judged_requests(parts[1], TextMatch("", "", 0).weights)
        setup.engine.close()
    choice = _choose_params(train, SMALL_GRID if small else GRID, progress)
    bm25 = measure_source_order(test, "bm25")[:, NDCG]
    systems = {
        BM25: bm25,
        "text kNN alone": measure_source_order(test, "text_knn")[:, NDCG],
        "fused": measure_fused_order(test)[:, NDCG],
        "ranker": measure_model_order(test, _train_ranker(train, choice.params))[:, NDCG],
    }
    values: dict[str, dict[str, Value]] = {
        system: {MEASURE: bootstrap_interval(ndcg), GAIN: bootstrap_difference(ndcg, bm25)}
        for system, ndcg in systems.items()
    }
    cost = measure_ms_per_text(encoder, list(parts[1].texts.values())[:COST_SAMPLE_SIZE])
    values["text kNN alone"]["ms to encode a query"] = cost
    default_bm25 = bootstrap_interval(measure_source_order(plain, "bm25")[:, NDCG])
    gain = bootstrap_difference(systems["ranker"], bm25)
    return EncoderResult(encoder.name, weights, choice, values, default_bm25, bootstrap_interval(bm25), gain)


def _choose_params(
    train: Sequence[JudgedRequest], grid: Mapping[str, Sequence[Any]], progress: Progress
) -> Choice:
    def score_fold(rest: NDArray[np.intp], fold: NDArray[np.intp], params: Params) -> NDArray[np.float64]:
        ranker = _train_ranker([train[index] for index in rest], params)
        return measure_model_order([train[index] for index in fold], ranker)[:, NDCG]

    return choose(grid, len(train), score_fold, progress)


def _train_ranker(judged: Sequence[JudgedRequest], params: Params) -> LambdaRank:
    trained = train_ranker(build_training_set(judged), FEATURE_NAMES, params=params)
    return LambdaRank(NAME, FEATURE_NAMES, trained.model_text)

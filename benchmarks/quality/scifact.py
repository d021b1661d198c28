"""SciFact (BEIR): the engine's words, vectors and fusion on somebody else's search, and a ranker."""

import csv
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.choosing import Choice, Params, choose
from benchmarks.quality.datasets import find_data_file
from benchmarks.quality.encoders import (
    CachedEncoder,
    describe_missing,
    list_encoders,
    measure_ms_per_text,
    resize_text_field,
)
from benchmarks.quality.report import Goal, Report, Row, Value
from benchmarks.quality.requests import (
    NDCG,
    compute_ndcg,
    measure_fused_order,
    measure_model_order,
    measure_source_order,
)
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.engine import SearchEngine, TextMatch
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.match import item_ids
from reelrank.index_mappings.query import Query
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_difference, bootstrap_interval
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.items.popularity import Popularity
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
"""What Anserini's BM25 reaches with the same two fields, less what another stemmer and stop list may cost."""
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
class QuerySet:
    """Queries of one part, by id, and what is relevant to each."""

    texts: dict[str, str]
    relevant: dict[str, list[str]]

    def take(self, limit: int) -> "QuerySet":
        return QuerySet(self.texts, dict(list(self.relevant.items())[:limit]))


@dataclass(frozen=True, slots=True, eq=False)
class SearchSetup:
    """The corpus in an engine, and who reads words."""

    engine: SearchEngine
    table: ItemTable
    encoder: TextEncoder

    def build_judged_requests(self, queries: QuerySet, weights: Weights) -> list[JudgedRequest]:
        return [
            self._build_judged_request(queries.texts[name], relevant, weights)
            for name, relevant in queries.relevant.items()
        ]

    def measure_bm25(self, queries: QuerySet, weights: Weights) -> float:
        """Mean NDCG@10 of BM25."""
        found = []
        for name, relevant in queries.relevant.items():
            matches = self.engine.match_text(
                TextMatch("bm25", queries.texts[name], 10, weights=weights), TIMEOUT_S
            )
            found.append(compute_ndcg(np.isin(matches.ids, item_ids(relevant)), len(relevant)))
        return float(np.mean(found))

    def _build_judged_request(self, text: str, relevant: Sequence[str], weights: Weights) -> JudgedRequest:
        popularity = Popularity(len(self.table))
        moment = build_request(Query(text=text), build_anonymous_viewer(), self.table, self.encoder)

        def run_sources(planned: Sequence[SourceRequest]) -> SourceAnswers:
            asked = [replace(r, weights=weights) if isinstance(r, TextMatch) else r for r in planned]
            return SourceAnswers(
                [query_source(r, self.engine, self.table, popularity, TIMEOUT_S) for r in asked]
            )

        context = RankingContext(self.table, popularity, FusedOrder(), RankingConfig())
        ranking = rank_request(moment, context, run_sources)
        nobody = np.zeros(len(ranking.order), np.float32)
        return build_judged_request(moment, ranking, dict.fromkeys(relevant, 1.0), nobody)


@dataclass(frozen=True, slots=True, eq=False)
class EncoderResult:
    """What one encoder gives on the test queries: values by system; as_it_is and words are BM25's."""

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
    """Weights and the ranker's parameters by the training queries; test is scored once. Raises Absent."""
    parts = (_read_queries("train"), _read_queries("test"))
    if small:
        parts = (parts[0].take(150), parts[1].take(100))
    items = _read_items()
    compared = [
        _evaluate_encoder(encoder, items, parts, small, progress)
        for encoder in list_encoders()[: 1 if small else None]
    ]
    first = compared[0]
    chosen = {each.encoder: {"weights": each.weights, "params": each.choice.params} for each in compared}
    held = ", ".join(f"{each.encoder} {each.choice.score:.4f}" for each in compared)
    return Report(
        NAME,
        f"SciFact: {len(parts[0].relevant)} training and {len(parts[1].relevant)} test queries",
        MEASURE,
        [
            *(Row(name, {MEASURE: value}) for name, value in PUBLISHED.items()),
            Row("BM25, the product's field weights", {MEASURE: first.default_bm25}),
            Row("BM25, title weight chosen on train", first.values.pop(BM25)),
            *(row for each in compared for row in each.to_rows()),
        ],
        [] if small else _build_goals(first, compared),
        [
            f"a title weighs {first.weights[0][1]:g} times a text, of {len(TITLE_WEIGHTS)} weights tried",
            f"the ranker on held-out training queries: {held}",
            *([describe_missing()] if describe_missing() else []),
        ],
        chosen,
    )


def _build_goals(first: "EncoderResult", results: Sequence["EncoderResult"]) -> list[Goal]:
    best = max(results, key=lambda each: each.gain.mean)
    return [
        Goal(f"BM25 {MEASURE}, title weight chosen on train", first.tuned_bm25.mean, GOAL),
        Goal(
            f"lower end of the interval by which the ranker ({best.encoder}) is above BM25", best.gain.low, 0
        ),
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
    """The best weight of a title against a description of 1; of equals the first."""
    tried = [(("title", title), ("description", 1.0)) for title in TITLE_WEIGHTS]
    return max(tried, key=lambda weights: setup.measure_bm25(train, weights))


def _evaluate_encoder(
    encoder: TextEncoder,
    items: Sequence[Item],
    parts: tuple[QuerySet, QuerySet],
    small: bool,
    progress: Progress,
) -> "EncoderResult":
    with resize_text_field(encoder), tempfile.TemporaryDirectory() as place:
        searched = _build_setup(Path(place), items, CachedEncoder(encoder), progress)
        weights = _choose_weights(searched, parts[0])
        train, test = (searched.build_judged_requests(part, weights) for part in parts)
        plain = searched.build_judged_requests(parts[1], TextMatch("", "", 0).weights)
        searched.engine.close()
    choice = _choose_params(train, SMALL_GRID if small else GRID, progress)
    words = measure_source_order(test, "bm25")[:, NDCG]
    systems = {
        BM25: words,
        "text kNN alone": measure_source_order(test, "text_knn")[:, NDCG],
        "fused": measure_fused_order(test)[:, NDCG],
        "ranker": measure_model_order(test, _train_ranker(train, choice.params))[:, NDCG],
    }
    values: dict[str, dict[str, Value]] = {
        system: {MEASURE: bootstrap_interval(each), GAIN: bootstrap_difference(each, words)}
        for system, each in systems.items()
    }
    cost = measure_ms_per_text(encoder, list(parts[1].texts.values())[:COST_SAMPLE_SIZE])
    values["text kNN alone"]["ms to encode a query"] = cost
    as_it_is = bootstrap_interval(measure_source_order(plain, "bm25")[:, NDCG])
    gain = bootstrap_difference(systems["ranker"], words)
    return EncoderResult(encoder.name, weights, choice, values, as_it_is, bootstrap_interval(words), gain)


def _choose_params(
    train: Sequence[JudgedRequest], grid: Mapping[str, Sequence[Any]], progress: Progress
) -> Choice:
    def score_fold(rest: NDArray[np.intp], fold: NDArray[np.intp], params: Params) -> NDArray[np.float64]:
        ranker = _train_ranker([train[place] for place in rest], params)
        return measure_model_order([train[place] for place in fold], ranker)[:, NDCG]

    return choose(grid, len(train), score_fold, progress)


def _train_ranker(judged: Sequence[JudgedRequest], params: Params) -> LambdaRank:
    trained = train_ranker(build_training_set(judged), FEATURE_NAMES, params=params)
    return LambdaRank(NAME, FEATURE_NAMES, trained.model_text)


def _read_queries(part: str) -> QuerySet:
    with find_data_file("scifact", "queries.jsonl").open(encoding="utf-8") as lines:
        texts = {query["_id"]: query["text"] for query in map(json.loads, lines)}
    relevant: dict[str, list[str]] = {}
    with find_data_file("scifact", "qrels", f"{part}.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if int(row["score"]) > 0:
                relevant.setdefault(row["query-id"], []).append(row["corpus-id"])
    return QuerySet(texts, relevant)


def _read_items() -> list[Item]:
    with find_data_file("scifact", "corpus.jsonl").open(encoding="utf-8") as lines:
        return [Item(d["_id"], d["title"], d["text"]) for d in map(json.loads, lines)]

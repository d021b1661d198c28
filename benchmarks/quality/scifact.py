"""SciFact (BEIR): the engine's words, vectors and fusion on somebody else's search, and a ranker."""

import csv
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.engines.embedded.engine import EmbeddedEngine
from benchmarks.quality.choosing import Choice, Params, choose
from benchmarks.quality.datasets import data_file
from benchmarks.quality.encoders import Remembered, encoders, milliseconds_a_text, missing, text_field_of
from benchmarks.quality.report import Goal, Report, Row, Value
from benchmarks.quality.requests import NDCG, engine_order, model_order, ndcg, source_order
from index_mappings.encoder import TextEncoder
from index_mappings.engine import SearchEngine, TextMatch
from index_mappings.item import Item
from index_mappings.match import item_ids
from index_mappings.query import Query
from loaders.catalogue import LoadOptions, load_catalogue
from ranking.bootstrap import Interval, bootstrap_interval, paired_difference
from ranking.features.compute import FEATURE_NAMES, compute_features
from ranking.item_table import ItemTable, build_table
from ranking.judged import Judged
from ranking.popularity import Popularity
from ranking.progress import Progress
from ranking.ranker import LambdaRank
from ranking.signals import observe
from ranking.sources import Caps, answer, candidates_of, plan
from ranking.train import train_ranker
from ranking.training_set import training_set_of
from ranking.vectors import moment_of
from ranking.viewer import anonymous

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
LONG_S = 60.0
COSTED = 50
WORDS = "BM25"
Weights = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Queries of one part, by id, and what is relevant to each."""

    texts: dict[str, str]
    relevant: dict[str, list[str]]

    def some(self, most: int) -> "Asked":
        return Asked(self.texts, dict(list(self.relevant.items())[:most]))


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """The corpus in an engine, and who reads words."""

    engine: SearchEngine
    table: ItemTable
    encoder: TextEncoder

    def judged(self, asked: Asked, weights: Weights) -> list[Judged]:
        return [
            self._judged(asked.texts[name], relevant, weights) for name, relevant in asked.relevant.items()
        ]

    def words_alone(self, asked: Asked, weights: Weights) -> float:
        """Mean NDCG@10 of BM25."""
        found = []
        for name, relevant in asked.relevant.items():
            matches = self.engine.match_text(
                TextMatch("bm25", asked.texts[name], 10, weights=weights), LONG_S
            )
            found.append(ndcg(np.isin(matches.ids, item_ids(relevant)), len(relevant)))
        return float(np.mean(found))

    def _judged(self, text: str, relevant: Sequence[str], weights: Weights) -> Judged:
        popularity = Popularity(len(self.table))
        moment = moment_of(Query(text=text), anonymous(), self.table, self.encoder)
        planned = plan(moment, self.table, Caps())
        asked = [replace(each, weights=weights) if isinstance(each, TextMatch) else each for each in planned]
        matches = [answer(each, self.engine, self.table, popularity, LONG_S) for each in asked]
        candidates = candidates_of(moment, matches, self.table)
        features = compute_features(observe(moment, candidates, self.table, popularity))
        gains, nobody = np.ones(len(relevant), np.float32), np.zeros(len(candidates), np.float32)
        return Judged(moment, candidates, item_ids(relevant), gains, "search", features, nobody)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What one encoder gives on the test queries: values by system; as_it_is and words are BM25's."""

    encoder: str
    weights: Weights
    choice: Choice
    values: dict[str, dict[str, Value]]
    as_it_is: Interval
    words: Interval
    gain: Interval

    def rows(self) -> list[Row]:
        return [Row(f"{name}, {self.encoder}", row) for name, row in self.values.items() if name != WORDS]


def measure(progress: Progress, small: bool = False) -> Report:
    """Weights and the ranker's parameters by the training queries; test is scored once. Raises Absent."""
    parts = (_asked("train"), _asked("test"))
    if small:
        parts = (parts[0].some(150), parts[1].some(100))
    items = _items()
    compared = [
        _with(encoder, items, parts, small, progress) for encoder in encoders()[: 1 if small else None]
    ]
    first = compared[0]
    chosen = {each.encoder: {"weights": each.weights, "params": each.choice.params} for each in compared}
    held = ", ".join(f"{each.encoder} {each.choice.measured:.4f}" for each in compared)
    return Report(
        NAME,
        f"SciFact: {len(parts[0].relevant)} training and {len(parts[1].relevant)} test queries",
        MEASURE,
        [
            *(Row(name, {MEASURE: value}) for name, value in PUBLISHED.items()),
            Row("BM25, the product's field weights", {MEASURE: first.as_it_is}),
            Row("BM25, title weight chosen on train", first.values.pop(WORDS)),
            *(row for each in compared for row in each.rows()),
        ],
        [] if small else _goals(first, compared),
        [
            f"a title weighs {first.weights[0][1]:g} times a text, of {len(TITLE_WEIGHTS)} weights tried",
            f"the ranker on held-out training queries: {held}",
            *([missing()] if missing() else []),
        ],
        chosen,
    )


def _goals(first: "Compared", compared: Sequence["Compared"]) -> list[Goal]:
    best = max(compared, key=lambda each: each.gain.mean)
    return [
        Goal(f"BM25 {MEASURE}, title weight chosen on train", first.words.mean, GOAL),
        Goal(
            f"lower end of the interval by which the ranker ({best.encoder}) is above BM25", best.gain.low, 0
        ),
    ]


def _searched(place: Path, items: Sequence[Item], encoder: Remembered, progress: Progress) -> Searched:
    engine = EmbeddedEngine(place / "engine")
    load_catalogue(items, engine, encoder, LoadOptions(), progress)
    encoder.keep()
    version = engine.serving_version() or ""
    return Searched(engine, build_table(place / "table", version, engine.scan(version), None), encoder)


def _weights(searched: Searched, train: Asked) -> Weights:
    """The best weight of a title against a description of 1; of equals the first."""
    tried = [(("title", title), ("description", 1.0)) for title in TITLE_WEIGHTS]
    return max(tried, key=lambda weights: searched.words_alone(train, weights))


def _with(
    encoder: TextEncoder, items: Sequence[Item], parts: tuple[Asked, Asked], small: bool, progress: Progress
) -> "Compared":
    with text_field_of(encoder), tempfile.TemporaryDirectory() as place:
        searched = _searched(Path(place), items, Remembered(encoder), progress)
        weights = _weights(searched, parts[0])
        train, test = (searched.judged(part, weights) for part in parts)
        plain = searched.judged(parts[1], TextMatch("", "", 0).weights)
        searched.engine.close()
    choice = _choice(train, SMALL_GRID if small else GRID, progress)
    words = source_order(test, "bm25")[:, NDCG]
    systems = {
        WORDS: words,
        "text kNN alone": source_order(test, "text_knn")[:, NDCG],
        "fused": engine_order(test)[:, NDCG],
        "ranker": model_order(test, _ranker(train, choice.params))[:, NDCG],
    }
    values: dict[str, dict[str, Value]] = {
        system: {MEASURE: bootstrap_interval(each), GAIN: paired_difference(each, words)}
        for system, each in systems.items()
    }
    cost = milliseconds_a_text(encoder, list(parts[1].texts.values())[:COSTED])
    values["text kNN alone"]["ms to encode a query"] = cost
    as_it_is = bootstrap_interval(source_order(plain, "bm25")[:, NDCG])
    gain = paired_difference(systems["ranker"], words)
    return Compared(encoder.name, weights, choice, values, as_it_is, bootstrap_interval(words), gain)


def _choice(train: Sequence[Judged], grid: Mapping[str, Sequence[Any]], progress: Progress) -> Choice:
    def held(rest: NDArray[np.intp], fold: NDArray[np.intp], params: Params) -> NDArray[np.float64]:
        ranker = _ranker([train[place] for place in rest], params)
        return model_order([train[place] for place in fold], ranker)[:, NDCG]

    return choose(grid, len(train), held, progress)


def _ranker(judged: Sequence[Judged], params: Params) -> LambdaRank:
    trained = train_ranker(training_set_of(judged), FEATURE_NAMES, params=params)
    return LambdaRank(NAME, FEATURE_NAMES, trained.model_text)


def _asked(part: str) -> Asked:
    with data_file("scifact", "queries.jsonl").open(encoding="utf-8") as lines:
        texts = {query["_id"]: query["text"] for query in map(json.loads, lines)}
    relevant: dict[str, list[str]] = {}
    with data_file("scifact", "qrels", f"{part}.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if int(row["score"]) > 0:
                relevant.setdefault(row["query-id"], []).append(row["corpus-id"])
    return Asked(texts, relevant)


def _items() -> list[Item]:
    with data_file("scifact", "corpus.jsonl").open(encoding="utf-8") as lines:
        return [Item(d["_id"], d["title"], d["text"]) for d in map(json.loads, lines)]

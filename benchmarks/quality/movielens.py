"""MovieLens 100k at k = 10 with the split of the recommenders table: candidates and ranker for every user."""

import csv
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.quality.choosing import Choice, Params, choose
from benchmarks.quality.datasets import DatasetMissing, find_data_file
from benchmarks.quality.report import Goal, Report, Row, Value
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.encoder import TextEncoder, WordLlamaEncoder
from reelrank.index_mappings.event import EVENT_SCHEMA, Event
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.loaders.items.catalogue import encode_documents
from reelrank.loaders.items.reindex import attach_embeddings
from reelrank.ranking.embeddings.learn_embeddings import learn_embeddings
from reelrank.ranking.embeddings.watches import select_watches
from reelrank.ranking.evaluation.intervals import bootstrap_interval
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.evaluation.order_measures import (
    NDCG,
    MeasureMatrix,
    measure_fused_order,
    measure_model_order,
    measure_popular_order,
    measure_source_order,
)
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.event_counts import build_popularity
from reelrank.ranking.items.popularity.half_lives import find_half_life
from reelrank.ranking.items.table import build_table
from reelrank.ranking.policies.config import CandidateLimits, RankingConfig
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.retrieval.exact_matcher import ExactMatcher
from reelrank.ranking.training.backtest import BacktestIndex, build_judged_request, rank_past_request
from reelrank.ranking.training.dataset import build_training_set
from reelrank.ranking.training.lambdarank import train_ranker
from reelrank.ranking.viewers.history import Viewer, build_viewer
from reelrank.ranking.viewers.query_vectors import build_request

NAME = "movielens"
PUBLISHED = {
    "BiVAE, published": (0.475077, 0.411771, 0.219145),
    "BPR, published": (0.441997, 0.388229, 0.212522),
    "SAR, published": (0.382461, 0.330753, 0.176385),
}
"""NDCG, precision and recall at 10 in the table of the recommenders project for MovieLens 100k."""
GOAL, SMALL_GOAL = 0.475, 0.44
"""The best row of the table, BiVAE. With --small, which trains on half of the requests with fixed parameters,
about the row of BPR."""
RATIO, SEED = 0.75, 42
"""The split of the table: three quarters of each film's ratings, shuffled by numpy's legacy generator."""
INNER_SEEDS = (1, 2)
MEASURES = ("NDCG@10", "precision@10", "recall@10")
CONFIG = RankingConfig(
    CandidateLimits(factors=600, neighbours=600, session=200, recent=200, popular=200, fresh=0)
)
"""A third of the catalogue of 1,682 films from the better sources: any film may be relevant."""
GRID = {
    "num_leaves": (7, 15),
    "lambdarank_truncation_level": (30, 100),
    "learning_rate": (0.03,),
    "num_threads": (1,),
}
SMALL_GRID = {"num_leaves": (7,), "num_threads": (1,)}
WATCH_MS = 6_000_000
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """m ratings: users and films int64 [m] with MovieLens' numbers; at_ms int64 [m]."""

    users: NDArray[np.int64]
    films: NDArray[np.int64]
    at_ms: NDArray[np.int64]

    def take(self, rows: NDArray[np.intp]) -> "Ratings":
        return Ratings(self.users[rows], self.films[rows], self.at_ms[rows])

    def split(self, seed: int) -> tuple["Ratings", "Ratings"]:
        """Returns RATIO of each film's ratings and the rest, as `python_stratified_split` of recommenders."""
        keys = np.random.RandomState(seed).rand(len(self.users))
        order = np.lexsort((keys, self.films))
        films = self.films[order]
        starts = np.flatnonzero(np.diff(films, prepend=-1))
        counts = np.diff(np.append(starts, len(films)))
        position = np.arange(len(films)) - np.repeat(starts, counts) + 1
        first = position / np.repeat(counts, counts) <= RATIO
        return self.take(order[first]), self.take(order[~first])

    def to_events(self) -> list[Event]:
        """Returns each rating as a film watched to its end: the table counts every rated film as relevant.

        All events have the same time: the split is random in time, so recency says nothing about the test.
        """
        at_ms = int(self.at_ms.max(initial=0))
        return [
            Event(f"{user}-{film}", "watch", str(user), at_ms, f"m{film}", WATCH_MS, WATCH_MS)
            for user, film in zip(self.users.tolist(), self.films.tolist(), strict=True)
        ]


def measure(progress: Progress, small: bool = False) -> Report:
    """Trains the ranker on splits inside train and ranks test once. Raises DatasetMissing."""
    ratings, items = read_ratings()
    train, test = ratings.split(SEED)
    encoder = WordLlamaEncoder()
    inner = [train.split(seed) for seed in INNER_SEEDS[: 1 if small else None]]
    training = [
        request
        for known, held_out in inner
        for request in build_judged_requests(known, held_out, items, encoder, progress)
    ]
    choice = _choose_params(training[: len(training) // len(inner)], SMALL_GRID if small else GRID, progress)
    trained = train_ranker(build_training_set(training), FEATURE_NAMES, params=choice.params)
    requests = build_judged_requests(train, test, items, encoder, progress)
    lists = {
        "most popular": measure_popular_order(requests),
        **{source: measure_source_order(requests, source) for source in requests[0].candidates.sources},
        "fused": measure_fused_order(requests),
        "ranker": measure_model_order(requests, LambdaRank(NAME, FEATURE_NAMES, trained.model_text)),
    }
    rows = [Row(name, dict(zip(MEASURES, values, strict=True))) for name, values in PUBLISHED.items()]
    rows += [Row(name, _measure_lists(values_by_query)) for name, values_by_query in lists.items()]
    ndcg = float(lists["ranker"][:, 0].mean())
    return Report(
        NAME,
        f"MovieLens 100k: {len(train.users):,} known ratings, {len(requests)} users ranked",
        MEASURES[0],
        rows,
        [Goal("NDCG@10 of the ranker", ndcg, SMALL_GOAL if small else GOAL)],
        [
            f"the ranker is trained on {len(training)} requests of {len(inner)} splits inside train",
            f"parameters, best of {len(choice.tried)}: {choice.params}, {choice.score:.4f} on held-out folds",
        ],
        {"params": trained.params, "rounds": trained.rounds},
    )


def _choose_params(
    requests: Sequence[JudgedRequest], grid: Mapping[str, Sequence[Any]], progress: Progress
) -> Choice:
    """Chooses parameters on the requests of one inner split, so that no user is in two folds."""

    def score_fold(rest: NDArray[np.intp], fold: NDArray[np.intp], params: Params) -> NDArray[np.float64]:
        training = build_training_set([requests[index] for index in rest])
        text = train_ranker(training, FEATURE_NAMES, params=params).model_text
        ranker = LambdaRank(NAME, FEATURE_NAMES, text)
        return measure_model_order([requests[index] for index in fold], ranker)[:, NDCG]

    return choose(grid, len(requests), score_fold, progress)


def build_judged_requests(
    known: Ratings, held_out: Ratings, items: Sequence[Item], encoder: TextEncoder, progress: Progress
) -> list[JudgedRequest]:
    """Returns a home page of each user with held-out ratings, shuffled; relevant are the held-out films."""
    events = known.to_events()
    columns = {field.name: [getattr(event, field.name) for event in events] for field in EVENT_SCHEMA}
    watched = pa.Table.from_pydict(columns, EVENT_SCHEMA)
    end_ms = int(known.at_ms.max()) + 1
    learned = learn_embeddings(select_watches(watched, end_ms), progress)
    with tempfile.TemporaryDirectory() as directory:
        batches = attach_embeddings(encode_documents(items, encoder), learned)
        table = build_table(Path(directory) / "table", "movielens", batches, learned.fold_in)
        matcher = ExactMatcher(table, learned.neighbours, EmbeddedEngine(Path(directory) / "engine"))
        index = BacktestIndex(table, matcher, encoder)
        popularity = build_popularity(table, watched.to_batches())
        histories: dict[str, list[Event]] = {}
        for event in events:
            histories.setdefault(event.user, []).append(event)
        users = np.random.default_rng(0).permutation(np.unique(held_out.users))
        requests = []
        for done, user in enumerate(users.tolist()):
            relevant = encode_item_ids(f"m{film}" for film in held_out.films[held_out.users == user].tolist())
            viewer = build_viewer(str(user), histories.get(str(user), []), end_ms)
            requests.append(_build_home_request(viewer, relevant, index, popularity, end_ms))
            progress("ranking for every user", done + 1, len(users))
        return requests


def _build_home_request(
    viewer: Viewer, relevant: ItemIds, index: BacktestIndex, popularity: Popularity, at_ms: int
) -> JudgedRequest:
    context = Context(datetime.fromtimestamp(at_ms / 1000, UTC))
    request = build_request(Query(user=viewer.user, context=context), viewer, index.table, index.encoder)
    ranking = rank_past_request(request, index, popularity, CONFIG)
    shares = popularity.compute_shares(ranking.found.rows)[:, find_half_life(365)]
    gains = {item_id.decode(): 1.0 for item_id in relevant.tolist()}
    return build_judged_request(request, ranking, gains, shares)


def read_ratings() -> tuple[Ratings, list[Item]]:
    """Returns all ratings in the order of their file, and the films. Raises DatasetMissing."""
    with zipfile.ZipFile(_find_wheel()) as wheel:
        rows = _read_rows(wheel, "inter")
        films = _read_rows(wheel, "item")
    columns = np.array([(r["user_id"], r["item_id"], r["timestamp"]) for r in rows], np.int64).T
    return Ratings(columns[0], columns[1], columns[2] * 1000), [_decode_item(film) for film in films]


def _find_wheel() -> Path:
    folder = find_data_file("recbole")
    wheels = sorted(folder.glob("recbole-*.whl"))
    if not wheels:
        raise DatasetMissing(f"pip download --no-deps --dest {folder} recbole==1.2.1")
    return wheels[-1]


def _read_rows(wheel: zipfile.ZipFile, suffix: str) -> list[dict[str, str]]:
    """Returns the rows of a RecBole file, whose header has `name:type` columns."""
    with wheel.open(f"recbole/dataset_example/ml-100k/ml-100k.{suffix}") as lines:
        reader = csv.reader(TextIOWrapper(lines, "utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE)
        names = [name.partition(":")[0] for name in next(reader)]
        return [dict(zip(names, row, strict=True)) for row in reader]


def _decode_item(film: dict[str, str]) -> Item:
    year = film["release_year"]
    published = datetime(int(year), 1, 1, tzinfo=UTC) if year.isdigit() else None
    return Item(f"m{film['item_id']}", film["movie_title"], genres=tuple(film["class"].split()),
                published_at=published)  # fmt: skip


def _measure_lists(lists: MeasureMatrix) -> dict[str, Value]:
    return {name: bootstrap_interval(lists[:, column]) for column, name in enumerate(MEASURES)}

"""Past impressions of backtested rows say as little as those of logged rows: a page is not in its own past.

Viewers are shown films at random. With the leak, each watched film would have been shown just before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from reelrank.app.jobs.history import History
from reelrank.app.jobs.training import open_backtest_index
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.evaluation.metrics import ndcg_at
from reelrank.ranking.features.compute import FEATURE_NAMES, compute_features
from reelrank.ranking.items.popularity.event_counts import build_popularity
from reelrank.ranking.labels.opened_pages import OpenedPages
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.backtest import BacktestIndex, backtest, rank_past_request
from reelrank.ranking.training.dataset import TrainingSet, build_training_set
from reelrank.ranking.training.lambdarank import TrainingResult, train_ranker
from reelrank.ranking.training.past_requests import BacktestOptions
from reelrank.ranking.viewers.histories import Histories
from reelrank.ranking.viewers.history import build_viewer
from reelrank.ranking.viewers.query_vectors import build_request
from tests.unit.ranking.planted_impressions import DAYS, START, START_MS, PlantedPage, make_films, make_pages

pytestmark = pytest.mark.slow

LEARN_MS, JUDGE_MS, END_MS = (START_MS + day * DAY_MS for day in (DAYS - 6, DAYS - 3, DAYS))
OPTIONS = BacktestOptions(requests=400)
FEW_TREES = {"num_threads": 1, "num_iterations": 40, "min_data_in_leaf": 20}


@dataclass(frozen=True, slots=True)
class Planted:
    """What was planted: the history, what ranks it, and the logged groups of the windows to learn from and
    to judge by."""

    history: History
    index: BacktestIndex
    learned_from: TrainingSet
    judged: TrainingSet


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    parts = build_container(Settings(data_dir=tmp_path_factory.mktemp("leak")))
    load_catalogue(make_films(), parts.engine, parts.encoder, LoadOptions(created_at=START))
    pages, events = make_pages()
    version = parts.engine.serving_version() or ""
    documents = [document for batch in parts.engine.scan(version) for document in batch]
    history = History(parts, events, documents, LEARN_MS, JUDGE_MS, END_MS)
    with open_backtest_index(history, LEARN_MS, ignore_progress) as index:
        yield Planted(
            history,
            index,
            log_pages(history, index, [page for page in pages if LEARN_MS <= page.at_ms < JUDGE_MS]),
            log_pages(history, index, [page for page in pages if page.at_ms >= JUDGE_MS]),
        )


def log_pages(history: History, index: BacktestIndex, pages: Sequence[PlantedPage]) -> TrainingSet:
    """Returns what the lake would hold of these pages: the features of what was shown, at their time."""
    ordered = history.events.sort_by([("at_ms", "ascending"), ("id", "ascending")])
    histories, times = Histories(ordered), ordered["at_ms"].to_numpy()
    popularity = build_popularity(index.table, ordered.slice(0, int((times < LEARN_MS).sum())).to_batches())
    features, gains = [], []
    for page in pages:
        viewer = build_viewer(page.user, histories[page.user], page.at_ms)
        query = Query(user=page.user, context=Context(datetime.fromtimestamp(page.at_ms / 1000, UTC)))
        request = build_request(query, viewer, index.table, index.encoder)
        ranking = rank_past_request(request, index, popularity, OPTIONS.config)
        ids = ranking.found.candidates.ids
        rows = np.flatnonzero(np.isin(ids, encode_item_ids(page.shown)))
        features.append(compute_features(ranking.signals.take(rows), FEATURE_NAMES))
        gains.append(np.isin(ids[rows], encode_item_ids(page.watched)).astype(np.int32))
    groups = np.array([len(part) for part in gains], np.int32)
    return TrainingSet(np.concatenate(features), np.concatenate(gains), groups)


def backtest_rows(planted: Planted) -> TrainingSet:
    window = (LEARN_MS, JUDGE_MS)
    return build_training_set(backtest(planted.history.events, planted.index, window, OPTIONS))


def learn(rows: TrainingSet) -> TrainingResult:
    return train_ranker(rows, FEATURE_NAMES, params=FEW_TREES)


def compute_leaked_share(gains: Mapping[str, float]) -> float:
    return (gains["times_shown"] + gains["days_since_shown"]) / sum(gains.values())


def judge(trained: TrainingResult, judged: TrainingSet) -> float:
    """Returns the mean NDCG@10 of the logged pages that led to a watch."""
    scores = LambdaRank("judged", FEATURE_NAMES, trained.model_text).score(judged.features)
    ends = np.cumsum(judged.groups)[:-1]
    gains = judged.gains.astype(np.float32)
    pages = zip(np.split(gains, ends), np.split(scores, ends), strict=True)
    return float(
        np.mean([ndcg_at(g[np.argsort(-s, kind="stable")], g[g > 0], 10) for g, s in pages if g.any()])
    )


def test_past_impressions_weigh_the_same_in_logged_and_backtested_rows(planted: Planted) -> None:
    logged, backtested = learn(planted.learned_from), learn(backtest_rows(planted))
    shares = [compute_leaked_share(trained.gains) for trained in (logged, backtested)]
    assert abs(shares[0] - shares[1]) < 0.05
    assert judge(backtested, planted.judged) > judge(logged, planted.judged) - 0.05


def test_a_page_that_is_part_of_its_own_past_is_caught(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenedPages, "find", lambda _pages, _watch: None)
    assert compute_leaked_share(learn(backtest_rows(planted)).gains) > 0.2

"""A training run decides how pages of viewers without a past are ordered, on pages it was not fitted on."""

from datetime import UTC, datetime
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from reelrank.app.jobs.choices import choose_cold_start_order
from reelrank.app.jobs.history import read_history
from reelrank.app.jobs.logged_pages import TrainingSource
from reelrank.app.jobs.training import collect_training_set, train
from reelrank.app.wiring import Container, load_model
from reelrank.index_mappings.event import DAY_MS, Event
from reelrank.ranking.evaluation.order_measures import MIN_COLD_VIEWERS, describe_cold_start
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.lambdarank import LambdaRank, ranks_cold_start
from reelrank.ranking.rankers.manifest import ColdStart, read_manifest
from tests.sample_project import build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
WINDOW = (NOW_MS, NOW_MS + DAY_MS)
POPULAR, NEWEST = ("space0", "space1"), ("space11", "sea11")


@pytest.fixture
def parts(tmp_path: Path) -> Container:
    """The sample project, where thirty more viewers made two films the most watched."""
    parts = build_project(tmp_path, NOW)
    watch(parts, "old", 30, POPULAR, NOW_MS - DAY_MS)
    return parts


def watch(parts: Container, name: str, viewers: int, films: tuple[str, ...], at_ms: int) -> None:
    """Lets viewers watch films to the end, one after another."""
    parts.events.append(
        [
            Event(f"{name}-{viewer}-{film}", "watch", f"{name}-{viewer}", at_ms + 60_000 * n, film, 10, 10)
            for viewer in range(viewers)
            for n, film in enumerate(films)
        ]
    )


def build_newest_first() -> LambdaRank:
    """Trains a model that ranks by the year, the newest first."""
    years = np.random.default_rng(0).integers(2000, 2012, 400).astype(np.float32)[:, None]
    data = lightgbm.Dataset(years, (years[:, 0] - 2000).astype(int), group=[20] * 20, feature_name=["year"])
    params = {"objective": "lambdarank", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    return LambdaRank("newest", ["year"], lightgbm.train(params, data, 20).model_to_string())


def choose(parts: Container, window: tuple[int, int] | None = WINDOW) -> ColdStart:
    ranker = build_newest_first()
    decided = choose_cold_start_order(read_history(parts), ranker, window, ignore_progress)
    assert not ranks_cold_start(ranker)  # deciding proves nothing of the ranker that was given
    return decided


def test_a_model_that_is_certainly_better_orders_the_pages(parts: Container) -> None:
    watch(parts, "new", MIN_COLD_VIEWERS, NEWEST, NOW_MS)
    decided = choose(parts)
    assert (decided.order, decided.pages, decided.viewers) == ("model", MIN_COLD_VIEWERS, MIN_COLD_VIEWERS)
    assert decided.difference is not None
    assert decided.difference.low > 0
    assert "ordered by model: the model had +" in describe_cold_start(decided)


def test_popularity_orders_them_where_the_model_is_worse(parts: Container) -> None:
    watch(parts, "new", MIN_COLD_VIEWERS, POPULAR, NOW_MS)
    decided = choose(parts)
    assert decided.order == "popularity"
    assert decided.difference is not None
    assert decided.difference.high < 0
    assert f"on {MIN_COLD_VIEWERS} such pages of {MIN_COLD_VIEWERS} viewers" in describe_cold_start(decided)


def test_a_few_viewers_prove_nothing(parts: Container) -> None:
    watch(parts, "new", MIN_COLD_VIEWERS - 1, NEWEST, NOW_MS)
    decided = choose(parts)
    assert (decided.order, decided.viewers) == ("popularity", MIN_COLD_VIEWERS - 1)
    assert decided.difference is not None
    assert decided.difference.low > 0


def test_only_first_pages_count(parts: Container) -> None:
    watch(parts, "old", 30, NEWEST, NOW_MS)
    liked = [Event(f"l{n}", "like", f"new-{n}", NOW_MS - 9, "sea1") for n in range(20)]
    parts.events.append(liked)
    watch(parts, "new", 40, NEWEST, NOW_MS)
    assert choose(parts).viewers == 20


def test_without_such_pages_popularity_orders_them(parts: Container) -> None:
    assert choose(parts) == choose(parts, None) == ColdStart(order="popularity")
    assert describe_cold_start(None) == describe_cold_start(ColdStart())


def test_pages_are_judged_after_all_that_were_fitted(parts: Container) -> None:
    history = read_history(parts)
    rows = collect_training_set(history, ignore_progress)
    assert rows.held_out_ms is not None
    first, last = rows.held_out_ms
    assert history.training_ms <= first < last <= history.evaluation_ms
    assert rows.split()[0].held_out_ms is None


@pytest.mark.slow
def test_the_choice_is_recorded_and_in_effect_in_the_evaluation(parts: Container) -> None:
    run = train(parts, ignore_progress, TrainingSource.HISTORY)
    directory = parts.registry.find_directory(run.model)
    decided = read_manifest(directory).cold_start
    assert decided is not None
    assert run.evaluation.notes == (describe_cold_start(decided),)
    assert ranks_cold_start(load_model(directory)) == decided.is_by_model

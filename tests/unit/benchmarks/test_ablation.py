"""Ablation: parts that are left out have no effect, and only effects in both windows miss the goal."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.quality.ablation import FULL, RankedMeasures
from benchmarks.quality.demo import build_ablation_goals
from reelrank.app.jobs.history import History, select_earlier_window
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.event import EVENT_SCHEMA, Event
from tests.unit.app.jobs.lab_window import build_window

NAMES = ("useful", "unknown", "fixed")


def test_a_ranker_without_the_useful_feature_ranks_worse() -> None:
    full = build_window(120, NAMES)
    assert full.measure_rankers([7, 8])[:, 0].mean() > 0.95
    assert full.drop_features(["useful"]).measure_rankers([7, 8])[:, 0].mean() < 0.5


def test_a_dropped_feature_is_in_neither_training_nor_requests() -> None:
    rest = build_window(10, NAMES).drop_features(["unknown"])
    assert rest.names == ("useful", "fixed")
    assert rest.training.features.shape[1] == 2
    assert {each.features.shape for each in rest.judged} == {(20, 2)}


def test_constant_features_are_found() -> None:
    assert build_window(10, NAMES).find_constant_features() == ("unknown", "fixed")


def test_the_earlier_window_sees_nothing_of_the_judged_window(tmp_path: Path) -> None:
    events = [Event(f"e{n}", "watch", "u", n, "film01", 9, 10) for n in range(100)]
    columns = {field.name: [getattr(each, field.name) for each in events] for field in EVENT_SCHEMA}
    table = pa.Table.from_pydict(columns, EVENT_SCHEMA)
    before = select_earlier_window(
        History(build_container(Settings(data_dir=tmp_path)), table, [], 70, 85, 100)
    )
    assert (before.evaluation_ms, before.end_ms) == (70, 85)
    assert before.training_ms == pytest.approx(55, abs=1)
    assert before.events["at_ms"].to_numpy().max() == 84


def build_ranked(gap: float) -> RankedMeasures:
    """Builds measures of 200 requests with and without a part, each `gap` apart."""
    full = np.random.default_rng(0).random((200, 3))
    return {FULL: full, "without it": full + gap}


@pytest.mark.parametrize(
    ("later", "earlier", "met"), [(0.1, 0.1, False), (0.1, -0.1, True), (-0.1, 0.1, True)]
)
def test_only_an_effect_in_both_windows_misses_the_goal(later: float, earlier: float, met: bool) -> None:
    (goal,) = build_ablation_goals(build_ranked(later), build_ranked(earlier))
    assert goal.is_met is met

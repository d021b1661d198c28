"""Position bias: examination estimated from exploration slots, inverse propensities, rows that carry both."""

import numpy as np
import pytest

from reelrank.ranking.training.dataset import ShownAt, TrainingSet
from reelrank.ranking.training.position_bias import (
    MAX_WEIGHT,
    Examination,
    PositionBias,
    correct_position_bias,
    estimate_examination,
    number_positions,
    weigh_used,
)

SIZE, PAGES = 10, 4000


def build_rows(decay: float, pages: int = PAGES, rate: float = 0.5) -> TrainingSet:
    """Builds pages with one exploration slot each, whose use falls with the position."""
    rng, rows = np.random.default_rng(0), pages * SIZE
    positions = np.tile(np.arange(SIZE, dtype=np.int32), pages)
    propensities = np.full((pages, SIZE), np.nan, np.float32)
    propensities[np.arange(pages), rng.integers(0, SIZE, pages)] = 0.02
    used = rng.random(rows) < rate * (positions + 1.0) ** -decay
    shown = ShownAt(positions, propensities.ravel())
    groups = np.full(pages, SIZE, np.int32)
    return TrainingSet(np.zeros((rows, 1), np.float32), used.astype(np.int32), groups, shown=shown)


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0])
def test_the_decay_is_estimated_from_exploration_slots(decay: float) -> None:
    estimated = estimate_examination(build_rows(decay))
    assert estimated is not None
    assert estimated.decay == pytest.approx(decay, abs=0.1)


def test_too_few_used_slots_correct_nothing() -> None:
    rows = build_rows(0.5, pages=20)
    assert estimate_examination(rows) is None
    assert correct_position_bias(rows, PositionBias.PROPENSITY).shown is None


def test_used_items_weigh_the_inverse_of_their_examination() -> None:
    shown = ShownAt(np.array([0, 3, 3, -1, 2000], np.int32), np.full(5, np.nan, np.float32))
    gains = np.array([1, 1, 0, 1, 1], np.int32)
    rows = TrainingSet(np.zeros((5, 1), np.float32), gains, np.array([5], np.int32), shown=shown)
    weighed = weigh_used(rows, Examination(0.5)).shown
    assert weighed is not None
    assert weighed.importance is not None
    assert weighed.importance.tolist() == [1.0, 2.0, 1.0, 1.0, MAX_WEIGHT]


def test_each_setting_says_what_a_ranker_is_given() -> None:
    rows = build_rows(0.5)
    assert correct_position_bias(rows, PositionBias.NONE).shown is None
    assert correct_position_bias(rows, PositionBias.POSITION) is rows
    weighed = correct_position_bias(rows, PositionBias.PROPENSITY).shown
    assert weighed is not None
    assert weighed.importance is not None
    assert weighed.importance.max() > 1


def test_positions_stay_with_their_rows() -> None:
    rows = build_rows(0.5, pages=4)
    assert rows.shown is not None
    earlier, later = rows.split(0.5)
    chosen = rows.select_groups(np.array([False, True, False, True]))
    for part, begin in ((earlier, 0), (later, 2 * SIZE)):
        assert part.shown is not None
        expected = rows.shown.propensities[begin : begin + 2 * SIZE]
        assert np.array_equal(part.shown.propensities, expected, equal_nan=True)
    assert chosen.shown is not None
    assert np.array_equal(chosen.gains, np.concatenate([rows.gains[10:20], rows.gains[30:40]]))


def test_items_that_were_not_shown_share_a_position_of_their_own() -> None:
    shown = ShownAt(np.array([0, -1, 4], np.int32), np.full(3, np.nan, np.float32))
    assert number_positions(shown).tolist() == [0, 5, 4]

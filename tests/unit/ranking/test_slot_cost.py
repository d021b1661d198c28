"""What exploration slots cost and earn, from the outcomes of served pages."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.served.slot_cost import SlotCost, measure_slot_cost
from reelrank.ranking.evaluation.served.wanted import ServedPages
from reelrank.ranking.labels.attribution import ATTRIBUTION_SCHEMA
from tests.unit.ranking.test_served_quality import (
    REQUEST_SCHEMA,
    WATCH_SCHEMA,
    build_outcome,
    build_table,
)

PAGES, VIEWERS = 3000, 500
RATES = {9: 0.30, 10: 0.20, 11: 0.26}
"""Of the positions beside the slot, and of the slot."""
RANDOM_RATE, RANDOM_SHARE = 0.05, 0.1


def build_pages(simulated: bool = False) -> ServedPages:
    """Pages of which a tenth has a pick at random; a second slot at position 12 is always used."""
    rng = np.random.default_rng(0)
    rows, propensities = list[dict[str, Any]](), list[float | None]()
    for page in range(PAGES):
        is_random = rng.random() < RANDOM_SHARE
        for position in (12, 11, 10, 9):
            rate = RATES.get(position, 1.0)
            if position == 10 and is_random:
                rate = RANDOM_RATE
            rows.append(build_outcome(f"r{page}", f"i{position}", position, clicked=rng.random() < rate))
            propensities.append((0.02 if is_random else 0.3) if position in (10, 12) else None)
    outcomes = pa.Table.from_pylist(rows, ATTRIBUTION_SCHEMA)
    requests = [(f"r{page}", page, f"u{page % VIEWERS}", "home") for page in range(PAGES)]
    return ServedPages(
        build_table(REQUEST_SCHEMA, requests),
        outcomes.append_column("propensity", pa.array(propensities, pa.float32())),
        build_table(WATCH_SCHEMA, []),
        frozenset(f"u{number}" for number in range(VIEWERS if simulated else 1)),
    )


def contains(interval: Interval | None, value: float) -> bool:
    return interval is not None and interval.low < value < interval.high


@pytest.mark.parametrize("simulated", [False, True])
def test_slots_are_compared_with_their_neighbours_and_with_random_picks(simulated: bool) -> None:
    cost = measure_slot_cost(build_pages(simulated))
    assert cost is not None
    assert cost.pages == (PAGES if simulated else PAGES - PAGES // VIEWERS)
    explored = 1000 * (RATES[10] * (1 - RANDOM_SHARE) + RANDOM_RATE * RANDOM_SHARE)
    assert contains(cost.explored, explored)
    assert contains(cost.beside, 280)
    assert contains(cost.cost, 280 - explored)
    assert contains(cost.reference, 50)
    assert contains(cost.earned, 150)
    assert "exploration costs" in cost.describe()
    assert "Picks at random were used" in cost.describe()


def test_without_slots_there_is_nothing_to_measure() -> None:
    pages = build_pages()
    none = pa.array([None] * len(pages.outcomes), pa.float32())
    for outcomes in (
        pages.outcomes.drop(["propensity"]),
        pages.outcomes.drop(["propensity"]).append_column("propensity", none),
        pages.outcomes.slice(0, 0),
    ):
        assert measure_slot_cost(ServedPages(pages.requests, outcomes, pages.watches)) is None


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (Interval(9, 3, 15), "exploration costs 9.0 (3.0 to 15.0) uses"),
        (Interval(-9, -15, -3), "exploration earns 9.0 (3.0 to 15.0) uses"),
        (Interval(1, -3, 5), "not told from nothing, 1.0 (-3.0 to 5.0) uses"),
    ],
)
def test_the_sentence_says_what_the_interval_proves(cost: Interval, words: str) -> None:
    one = SlotCost(10, Interval(31, 25, 38), Interval(40, 36, 44), cost)
    assert words in one.describe()
    assert "too few to compare with" in one.describe()

"""Exploration that knows the page: rates of slots, gains of items, the reference bucket, propensities."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare

from reelrank.index_mappings.event import EVENT_SCHEMA, HOUR_MS, Event
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.popularity.event_counts import count_events
from reelrank.ranking.items.popularity.posterior import Gains
from reelrank.ranking.items.popularity.slot_counts import POSITIONS, WINDOW_MS
from reelrank.ranking.items.popularity.slot_rates import (
    AGE_MIDDLES_DAYS,
    CELLS,
    REGRESSORS,
    SHAPE,
    fit_slot_rates,
    locate_cells,
)
from reelrank.ranking.items.table import ItemTable, build_table
from reelrank.ranking.policies.best_arm import compute_best_probabilities
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.policies.policy import ScoredCandidates
from reelrank.ranking.policies.thompson import (
    ThompsonSampling,
    choose_weights,
    derive_seed,
    explore,
    is_reference,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
ITEMS = [f"film{number:02d}" for number in range(60)]
CONFIG = RankingConfig(exploration_slots=1, policies=(ThompsonSampling(),), contextual_exploration=True)
HOME = Query(user="ada", context=Context(NOW), limit=20)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ItemTable:
    published = datetime(2026, 11, 23, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
    documents = [
        Document(Item(item_id, item_id, published_at=published[number % 2]))
        for number, item_id in enumerate(ITEMS)
    ]
    return build_table(Path(tmp_path_factory.mktemp("table"), "items"), "items-1", [documents], None)


def build_batch(events: Sequence[Event]) -> pa.RecordBatch:
    rows = [{name: getattr(event, name) for name in EVENT_SCHEMA.names} for event in events]
    return pa.RecordBatch.from_pylist(rows, EVENT_SCHEMA)


def show(number: int, item: str, position: int = 10, **fields: object) -> Event:
    stated: dict[str, object] = {"position": position, "request_id": f"r{number}", "surface": "home"}
    return Event(f"i{number}-{position}", "impression", f"u{number}", NOW_MS, item, **stated | fields)  # type: ignore[arg-type]  # a test's own keywords


def show_slot(number: int, item: str, came_from: int) -> Event:
    return show(number, item, propensity=0.1, came_from=came_from)


def use(number: int, item: str, after_ms: int = 1000, position: int | None = 10) -> Event:
    request_id = f"r{number}"
    return Event(
        f"c{number}-{position}", "click", f"u{number}", NOW_MS + after_ms, item, request_id=request_id,
        position=position,
    )  # fmt: skip


def count(table: ItemTable, events: Sequence[Event]) -> Popularity:
    """Counts the events, and one an hour later, when the windows of all of them are over."""
    popularity = Popularity(len(table))
    later = Event("later", "click", "u", NOW_MS + HOUR_MS, ITEMS[-1])
    for batch in (events, [later]):
        count_events(popularity, table, build_batch(batch))
    return popularity


def test_rates_follow_the_slots_and_their_intervals_hold_the_truth() -> None:
    """Of 200 logs made by the regression, about 95 % of the intervals of log rates hold them."""
    rng, covered = np.random.default_rng(0), list[NDArray[np.bool_]]()
    log_rates = REGRESSORS @ np.array([-2.5, 0.4, -0.3, 0.8])
    cells = np.flatnonzero(np.arange(CELLS) % 7 == 0)
    for _ in range(200):
        shown = rng.poisson(20.0, CELLS).astype(float)
        rates = fit_slot_rates(shown, rng.poisson(shown * np.exp(log_rates)).astype(float))
        error = np.log(rates.rates[cells]) - log_rates[cells]
        covered.append(np.abs(error) < 1.96 * np.sqrt(rates.variances[cells]))
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_before_any_slot_ranks_fall_gently_and_pages_are_alike() -> None:
    rates = fit_slot_rates(np.zeros(CELLS), np.zeros(CELLS)).rates.reshape(SHAPE)
    assert rates[0] == pytest.approx(rates[1])
    assert rates[0, 0] == pytest.approx(0.05)
    assert 0.03 < rates[0, -1, 0] < 0.04


def test_cells_are_found_by_page_rank_and_age() -> None:
    offsets, ages = [0, 49, 200, 3], [0.0, 2.0, 400.0, np.inf]
    similar, offset, age = np.unravel_index(locate_cells([0, 1, 0, 0], offsets, ages), SHAPE)
    assert similar.tolist() == [0, 1, 0, 0]
    assert offset.tolist() == [0, 49, 49, 3]
    assert AGE_MIDDLES_DAYS[age].tolist() == [0.5, 2.0, np.inf, np.inf]


def test_a_posterior_has_the_mean_and_deviation_of_rate_times_gain() -> None:
    rng = np.random.default_rng(1)
    used, expected = np.array([0.0, 3, 40]), np.array([0.0, 1, 60])
    rates, variances = np.array([0.05, 0.02, 0.04]), np.array([0.01, 0.04, 0.02])
    posterior = Gains(used, expected).compute_posterior(rates, variances)
    drawn = rng.gamma(2 + used, 1 / (2 + expected), (400_000, 3))
    drawn *= rates * rng.lognormal(-variances / 2, np.sqrt(variances), (400_000, 3))
    total = posterior.alpha + posterior.beta
    mean = posterior.alpha / total
    assert mean == pytest.approx(drawn.mean(axis=0), rel=0.01)
    assert np.sqrt(mean * (1 - mean) / (total + 1)) == pytest.approx(drawn.std(axis=0), rel=0.05)


def test_probabilities_of_such_a_pool_equal_many_draws() -> None:
    rng = np.random.default_rng(2)
    gains = Gains(rng.poisson(3.0, 50).astype(float), rng.gamma(2.0, 1.5, 50))
    rates = fit_slot_rates(np.full(CELLS, 5.0), np.full(CELLS, 0.3))
    cells = locate_cells(False, np.arange(50), rng.exponential(20.0, 50))
    posterior = gains.compute_posterior(rates.rates[cells], rates.variances[cells])
    best = rng.beta(posterior.alpha, posterior.beta, (200_000, 50)).argmax(axis=1)
    found = compute_best_probabilities(posterior)
    assert found == pytest.approx(np.bincount(best, minlength=50) / 200_000, abs=0.01)


def test_a_slot_counts_when_its_window_is_over(table: ItemTable) -> None:
    slots = [show_slot(1, ITEMS[0], 10), show_slot(2, ITEMS[2], 13), show_slot(3, ITEMS[1], 10)]
    uses = [use(2, ITEMS[2]), use(3, ITEMS[1], after_ms=WINDOW_MS + 1)]
    popularity = Popularity(len(table))
    count_events(popularity, table, build_batch([*slots, uses[0]]))
    assert not popularity.slots.counts["slot_shown"].any()
    assert len(popularity.slots.list_waiting()) == 3
    counted = count(table, [*slots, *uses])
    new, old = locate_cells(False, [0, 3], 1.5), locate_cells(False, [0], 2000.0)
    unit = counted.slots.compute_unit(NOW_MS)
    assert counted.slots.counts["slot_shown"][[*new, *old]] * unit == pytest.approx([1, 1, 1])
    assert counted.slots.counts["slot_used"][[*new, *old]] * unit == pytest.approx([0, 1, 0])
    assert counted.slots.list_waiting() == []


def test_an_item_that_is_used_as_often_as_its_positions_has_no_gain(table: ItemTable) -> None:
    """Position 0 is used half of the time and position 10 a tenth of it, whatever is there."""
    items, shown = ITEMS[:4], list[Event]()
    for number in range(400):
        shown += [show(number, items[number % 2], 0), show(number, items[2 + number % 2], 10)]
    used = [use(number, items[number % 2], position=0) for number in range(400) if number // 2 % 2]
    used += [use(number, items[2 + number % 2]) for number in range(400) if number // 2 % 10 == 3]
    popularity = Popularity(len(table))
    for part in range(0, 400, 20):  # as the service counts: the rates of positions are those so far
        batch = [
            *shown[2 * part : 2 * (part + 20)],
            *(one for one in used if part <= int(one.user[1:]) < part + 20),
        ]
        count_events(popularity, table, build_batch(batch))
    gains = popularity.exposures.compute_gains(table.find_rows(encode_item_ids(items)), popularity.now_ms)
    gain = (2 + gains.used) / (2 + gains.expected)
    assert gains.used == pytest.approx([100, 100, 20, 20], rel=0.05)
    assert gain == pytest.approx(1.0, abs=0.2)


def test_uses_without_a_position_make_all_positions_alike(table: ItemTable) -> None:
    shown = [show(number, ITEMS[number % 50], number % 20) for number in range(200)]
    popularity = count(table, [*shown, *(use(n, ITEMS[n % 50], position=None) for n in range(0, 200, 4))])
    rates = popularity.slots.compute_position_rates()
    assert len(rates) == POSITIONS + 1
    assert rates == pytest.approx(rates[0])
    assert rates[0] == pytest.approx(0.25, abs=0.03)


def build_candidates(table: ItemTable, popularity: Popularity, seed: int) -> ScoredCandidates:
    ids, scores = encode_item_ids(ITEMS), -np.arange(len(ITEMS), dtype=np.float32)
    rows = table.find_rows(ids)
    published = {"published_day": table.published_day[rows].astype(np.float32)}
    return ScoredCandidates(HOME, ids, rows, scores, {}, table, popularity, seed, signals=published)


@pytest.fixture(scope="module")
def popularity(table: ItemTable) -> Popularity:
    """600 slots: new items are used three times as often, and film05 and film40 more than the others."""
    rng, events = np.random.default_rng(5), list[Event]()
    for number in range(600):
        place = int(rng.integers(10, 60))
        events.append(show_slot(number, ITEMS[place], place))
        rate = (0.15 if place % 2 == 0 else 0.05) * (4 if place in (15, 40) else 1)
        if rng.random() < rate:
            events.append(use(number, ITEMS[place]))
    return count(table, events)


def test_a_pick_knows_the_page_and_the_item(table: ItemTable, popularity: Popularity) -> None:
    weigh = choose_weights(build_candidates(table, popularity, 1), CONFIG)
    propensities = weigh(np.arange(10, 60))
    assert propensities.sum() == pytest.approx(1)
    assert propensities[40 - 10] == propensities[1:].max()
    assert propensities[0::2].sum() > 2 * propensities[1::2].sum()
    moved = weigh(np.array([40, *range(10, 40), *range(41, 60)]))
    assert moved[0] > propensities[40 - 10]


def get_first(weights: NDArray[np.float64], _pool: NDArray[np.intp]) -> NDArray[np.float64]:
    return weights


@pytest.mark.parametrize("is_contextual", [True, False])
def test_logged_propensities_are_the_shares_of_actual_picks(
    table: ItemTable, popularity: Popularity, is_contextual: bool
) -> None:
    """Of 6,000 viewers, a tenth of them in the reference bucket: Pearson's chi-square over the ranks."""
    config = replace(CONFIG, contextual_exploration=is_contextual, random_exploration_share=0.1)
    order, picked, expected = np.arange(len(ITEMS)), np.zeros(50), np.zeros(50)
    weights = dict[bool, NDArray[np.float64]]()
    for viewer in range(6000):
        seed = derive_seed(HOME, f"viewer {viewer}", "")
        is_even = is_reference(seed, config.random_exploration_share)
        if is_even not in weights:
            candidates = build_candidates(table, popularity, seed)
            weights[is_even] = choose_weights(candidates, config)(order[10:60])
        result = explore(encode_item_ids(ITEMS), order, [10], partial(get_first, weights[is_even]), seed)
        if viewer < 20:
            served = ThompsonSampling().apply(order, build_candidates(table, popularity, seed), config)
            assert served.changes == result.changes
        rank = result.changes[0].ranked_position - 10
        assert result.changes[0].propensity == weights[is_even][rank]
        picked[rank] += 1
        expected += weights[is_even]
    assert chisquare(picked, expected).pvalue > 0.001
    assert weights[True].tolist() == [1 / 50] * 50


def test_a_viewer_stays_in_the_reference_bucket_for_a_day() -> None:
    later = replace(HOME, context=Context(NOW + timedelta(hours=11)))
    viewers = [f"viewer {number}" for number in range(20_000)]
    first, again = (
        [is_reference(derive_seed(query, viewer, "r"), 0.02) for viewer in viewers] for query in (HOME, later)
    )
    assert first == again
    assert np.mean(first) == pytest.approx(0.02, abs=0.004)
    assert not any(is_reference(derive_seed(HOME, viewer, "r"), 0.0) for viewer in viewers)
    assert all(is_reference(derive_seed(HOME, viewer, "r"), 1.0) for viewer in viewers)

"""Thompson sampling: propensities, slots and the off-policy estimate of their value."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kstest

from reelrank.index_mappings.event import EVENT_SCHEMA, Event, EventKind
from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.evaluation.off_policy import (
    SlotGroup,
    collect_slot_outcomes,
    compute_wilson_interval,
    estimate_slot_value,
)
from reelrank.ranking.items.engagements import Engagements
from reelrank.ranking.items.popularity.counters import Popularity, Rows
from reelrank.ranking.items.popularity.posterior import Posterior
from reelrank.ranking.policies.best_arm import compute_best_probabilities
from reelrank.ranking.policies.policy import Order, PositionChange
from reelrank.ranking.policies.thompson import (
    KEPT_SHARE,
    POOL_SIZE,
    UNIFORM_SHARE,
    choose_positions,
    compute_propensities,
    derive_seed,
    draw_gumbel,
    explore,
)

ORDER = np.arange(100)[::-1].copy()
IDS = encode_item_ids(f"film{number}" for number in range(len(ORDER)))
AT = datetime(2026, 11, 27, 9, tzinfo=UTC)


def build_posterior(shown: int = POOL_SIZE, seed: int = 0) -> Posterior:
    rng = np.random.default_rng(seed)
    return Posterior(rng.uniform(1, 10, shown), rng.uniform(19, 200, shown))


def build_equal_posterior(rows: Rows) -> Posterior:
    return Posterior(np.ones(len(rows)), np.full(len(rows), 19.0))


def explore_order(
    order: Order, positions: list[int], compute_posterior: Callable[[Order], Posterior], seed: int
) -> tuple[Order, tuple[PositionChange, ...]]:
    result = explore(IDS, order, positions, lambda pool: compute_propensities(compute_posterior(pool)), seed)
    return result.order, result.changes


def sample_best(posterior: Posterior, batches: int = 10) -> NDArray[np.float64]:
    """The share of a million Beta samples in which each item is the best."""
    rng, size = np.random.default_rng(1), len(posterior.alpha)
    best = [rng.beta(posterior.alpha, posterior.beta, (100_000, size)).argmax(axis=1) for _ in range(batches)]
    return np.bincount(np.concatenate(best), minlength=size) / (batches * 100_000)


def shown(impressions: ArrayLike, rates: ArrayLike) -> Posterior:
    uses = np.multiply(impressions, rates)
    return Posterior(uses + 1, np.subtract(impressions, uses) + 19)


POOLS = {
    "a new film beside 49 that are known": shown([0] + [10_000] * 49, [0.05] * 50),
    "fifty that tie after a million impressions": shown([1e6] * 50, [0.05] * 50),
    "ten new ones beside forty that are known": shown([0] * 10 + [1e6] * 40, [0.05] * 50),
    "two, one of which nobody used": shown([1, 1e6], [1.0, 0.0]),
    "fifty that nearly tie": shown([1e6] * 50, np.random.default_rng(3).normal(0.05, 1e-4, 50).tolist()),
    "fifty that nobody used": shown(10 ** np.random.default_rng(4).uniform(0, 6, 50), [0.0] * 50),
}


@pytest.mark.parametrize("name", POOLS)
def test_best_probabilities_equal_a_million_samples(name: str) -> None:
    assert compute_best_probabilities(POOLS[name]) == pytest.approx(sample_best(POOLS[name]), abs=0.01)


@settings(max_examples=15, deadline=None)
@given(
    impressions=st.lists(st.floats(0, 6).map(lambda digits: 10**digits), min_size=2, max_size=POOL_SIZE),
    rates=st.lists(st.floats(0, 1) | st.just(0.05), min_size=POOL_SIZE, max_size=POOL_SIZE),
)
def test_best_probabilities_of_any_pool_equal_samples(impressions: list[float], rates: list[float]) -> None:
    pool = shown(impressions, rates[: len(impressions)])
    assert compute_best_probabilities(pool) == pytest.approx(sample_best(pool, 2), abs=0.01)


def test_a_known_viewer_keeps_a_seed_for_a_day() -> None:
    home = Query(user="ada", context=Context(AT))
    later = replace(home, context=Context(AT + timedelta(hours=14)))
    assert derive_seed(home, "ada", "r1") == derive_seed(later, "ada", "r2")
    others = [
        replace(home, context=Context(AT + timedelta(days=1))),
        replace(home, similar_to="film1"),
        replace(home, similar_to="film2"),
    ]
    assert (
        len({derive_seed(query, "ada", "r1") for query in (home, *others)} | {derive_seed(home, "bob", "r1")})
        == 5
    )


def test_unknown_viewers_do_not_share_a_draw() -> None:
    query = Query(context=Context(AT))
    assert derive_seed(query, "", "r1") != derive_seed(query, "", "r2")


def test_a_draw_outlasts_changes_of_the_pool() -> None:
    """The pick stays in a pool in another order, and nearly always when another item leaves the pool."""
    kept = 0
    for seed in range(50):
        pool = ORDER[:POOL_SIZE]
        picked = explore_order(pool, [0], build_equal_posterior, seed)[0][0]
        shuffled = np.concatenate([pool[:1], np.random.default_rng(seed).permutation(pool[1:])])
        assert explore_order(shuffled, [0], build_equal_posterior, seed)[0][0] == picked
        left = pool[pool != next(item for item in pool[::-1] if item != picked)]
        kept += int(explore_order(left, [0], build_equal_posterior, seed)[0][0] == picked)
    assert kept >= 48


def test_the_luck_of_items_is_that_of_a_gumbel_distribution() -> None:
    draws = np.concatenate([draw_gumbel(IDS, seed) for seed in range(200)])
    assert kstest(draws, "gumbel_r").pvalue > 0.001
    repeated = np.corrcoef([draw_gumbel(IDS, seed) for seed in range(50)])
    assert np.abs(repeated - np.eye(50)).max() < 0.5


@pytest.mark.parametrize("times", [1e4, 1e8])
def test_narrow_posteriors_still_have_probabilities(times: float) -> None:
    beliefs = Posterior(np.array([1, 3, 3]) * times, np.array([19, 19, 19]) * times)
    assert compute_best_probabilities(beliefs) == pytest.approx([0, 0.5, 0.5])


def test_every_item_of_the_pool_has_a_probability() -> None:
    beliefs = Posterior(np.array([1.0, 500, 1]), np.array([5000.0, 500, 5000]))
    chances = compute_propensities(beliefs)
    assert chances.sum() == pytest.approx(1)
    assert chances[2] == pytest.approx(UNIFORM_SHARE / 3)
    assert chances[0] == pytest.approx(UNIFORM_SHARE / 3 + KEPT_SHARE)


def test_a_slot_moves_one_item_and_keeps_the_order_of_the_others() -> None:
    order, (draw,) = explore_order(ORDER, [10], build_equal_posterior, seed=3)
    assert sorted(order) == sorted(ORDER)
    assert order[10] == ORDER[draw.ranked_position]
    assert draw.position == 10 <= draw.ranked_position < 10 + POOL_SIZE
    assert np.delete(order, 10).tolist() == np.delete(ORDER, draw.ranked_position).tolist()


def test_items_are_picked_as_often_as_their_propensity_says() -> None:
    beliefs = build_posterior(4, seed=2)
    line = np.arange(4)
    picked, stated = Counter[int](), dict[int, float]()
    for seed in range(4000):
        order, (draw,) = explore_order(line, [0], lambda rows: beliefs, seed)
        picked[int(order[0])] += 1
        stated[int(order[0])] = draw.propensity or 0.0
    assert sum(stated.values()) == pytest.approx(1)
    for item, propensity in stated.items():
        assert picked[item] / 4000 == pytest.approx(propensity, abs=0.03)


def test_a_seed_gives_the_same_order_and_others_differ() -> None:
    def first(seed: int) -> list[int]:
        return list(explore_order(ORDER, [5, 10], build_equal_posterior, seed)[0])

    assert first(1) == first(1)
    assert len({tuple(first(seed)) for seed in range(20)}) > 10


def test_a_position_without_a_pool_is_not_explored() -> None:
    order, draws = explore_order(ORDER[:6], [5, 10], build_equal_posterior, seed=0)
    assert order.tolist() == ORDER[:6].tolist()
    assert draws == ()


@pytest.mark.parametrize(
    ("limit", "slots", "places"),
    [(20, 0, []), (9, 3, []), (10, 1, [5]), (20, 1, [10]), (20, 9, [6, 13]), (100, 3, [25, 50, 75])],
)
def test_at_most_one_position_in_ten_is_a_slot_and_never_the_first(
    limit: int, slots: int, places: list[int]
) -> None:
    assert choose_positions(limit, slots) == places


def test_a_second_slot_draws_from_the_rest() -> None:
    order, (first, second) = explore_order(ORDER, [6, 13], build_equal_posterior, seed=4)
    assert sorted(order) == sorted(ORDER)
    assert (order[6], order[13]) == (ORDER[first.ranked_position], ORDER[second.ranked_position])
    left = [item for item in ORDER if item not in (order[6], order[13])]
    assert [item for item in order if item not in (order[6], order[13])] == left


def test_posteriors_start_at_the_prior_and_follow_the_events() -> None:
    popularity = Popularity(2)
    ones, at = np.ones(10, np.float32), np.full(10, 1_000_000, np.int64)
    popularity.add_exposures("impression", np.zeros(10, np.intp), at, ones)
    popularity.add_exposures("engagement", np.array([0, 0, 0, 0, -1]), at[:5], ones[:5])
    popularity.add_exposures(
        "engagement", np.array([1, 1, 1]), at[:3], ones[:3]
    )  # of impressions that were not recorded
    beliefs = popularity.exposures.compute_posterior(np.array([0, 1, -1]), popularity.now_ms)
    assert beliefs.alpha == pytest.approx([5, 4, 1], rel=1e-3)
    assert beliefs.beta == pytest.approx([19 + 6, 19, 19], rel=1e-3)


def build_impression(number: int, **fields: object) -> Event:
    """Builds an explored impression, with the item that the ranker put there by default."""
    stated: dict[str, object] = {
        "position": 10,
        "came_from": 10,
        "propensity": 0.5,
        "request_id": f"r{number}",
    }
    return Event(f"i{number}", "impression", "u", 1, f"film{number}", **stated | fields)  # type: ignore[arg-type]  # a test's own keywords


def build_engagement(number: int, kind: EventKind = "click", page_number: int | None = None) -> Event:
    """Of a film on its page, or on another one."""
    request = f"r{number if page_number is None else page_number}"
    return Event(f"{kind}{number}-{page_number}", kind, "u", 2, f"film{number}", request_id=request)


def build_batch(events: list[Event]) -> pa.RecordBatch:
    rows = [{name: getattr(event, name) for name in EVENT_SCHEMA.names} for event in events]
    return pa.RecordBatch.from_pylist(rows, EVENT_SCHEMA)


def test_an_item_is_engaged_with_once_a_page() -> None:
    uses = Engagements()
    elsewhere = replace(build_engagement(1), id="x", request_id="")  # it follows no page
    first = build_batch(
        [
            build_engagement(1),
            elsewhere,
            build_engagement(1, "watch"),
            build_engagement(2, "watch"),
            build_impression(3),
            build_engagement(1, page_number=7),
        ]
    )
    assert uses.find_first(first).tolist() == [0, 3, 5]
    assert uses.find_first(
        build_batch([build_engagement(1, "like"), build_engagement(2, "click"), build_engagement(4)])
    ).tolist() == [2]


def test_engagements_are_matched_by_the_page_that_showed_the_item() -> None:
    undrawn = {"propensity": None, "came_from": None}
    events = [
        build_impression(1),
        build_impression(2, came_from=30),
        build_impression(3, **undrawn),
        build_engagement(1),
        build_engagement(2, "watch", page_number=1),
        build_engagement(3),
    ]
    places = collect_slot_outcomes([build_batch(events[:4]), build_batch(events[4:])])
    assert places.propensity.tolist() == [0.5, 0.5]
    assert places.is_as_ranked.tolist() == [True, False]
    assert places.is_engaged.tolist() == [True, False]


def test_only_the_first_slot_of_a_page_counts() -> None:
    later = build_impression(2, request_id="r1", position=13, came_from=13, propensity=0.1)
    places = collect_slot_outcomes([build_batch([later, build_impression(1, position=6, came_from=6)])])
    assert places.propensity.tolist() == [0.5]


@pytest.mark.parametrize("by", ["surface", "model", "release"])
def test_outcomes_are_split_by_what_their_page_states(by: SlotGroup) -> None:
    events = [
        build_impression(1, **{by: "home"}),
        build_impression(2, came_from=30, **{by: "similar"}),
        build_impression(3),
        build_engagement(2),
    ]
    groups = collect_slot_outcomes([build_batch(events)]).split(by)
    assert {name: group.is_engaged.tolist() for name, group in groups.items()} == {
        "": [False],
        "home": [False],
        "similar": [True],
    }
    assert groups["similar"].is_as_ranked.tolist() == [False]


def test_the_value_without_exploration_is_estimated() -> None:
    """Items of the ranking are used half of the time and picked with probability 0.2; others 1 in 10."""
    rng = np.random.default_rng(5)
    events = list[Event]()
    for number in range(4000):
        as_ranked = rng.random() < 0.2
        events.append(
            build_impression(number, came_from=10 if as_ranked else 30, propensity=0.2 if as_ranked else 0.8)
        )
        if rng.random() < (0.5 if as_ranked else 0.1):
            events.append(build_engagement(number))
    value = estimate_slot_value(collect_slot_outcomes([build_batch(events)]))
    assert value.as_ranked is not None
    assert value.as_ranked.low < 0.5 < value.as_ranked.high
    assert value.as_ranked.high - value.as_ranked.low < 0.1
    assert value.as_drawn.low < 0.18 < value.as_drawn.high
    assert (value.draws, round(value.effective)) == (4000, sum(event.came_from == 10 for event in events))


@pytest.mark.parametrize("used", [True, False])
def test_a_single_slot_gives_a_wide_interval(used: bool) -> None:
    value = estimate_slot_value(
        collect_slot_outcomes([build_batch([build_impression(1), *([build_engagement(1)] if used else [])])])
    )
    assert value.as_ranked is not None
    assert value.as_ranked.high - value.as_ranked.low > 0.7


def test_without_a_ranked_item_there_is_no_estimate() -> None:
    value = estimate_slot_value(
        collect_slot_outcomes(
            [build_batch([build_impression(1, came_from=20), build_impression(2, came_from=30)])]
        )
    )
    assert (value.as_ranked, value.effective) == (None, 0)


def test_an_interval_is_that_of_the_textbook() -> None:
    interval = compute_wilson_interval(8 / 10, 10)
    assert (interval.low, interval.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize(
    "fields", [{"came_from": None}, {"position": None}, {"propensity": 0.0}, {"came_from": -1}]
)
def test_a_propensity_without_positions_or_out_of_range_is_rejected(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"propensity|came_from"):
        build_impression(1, **fields)

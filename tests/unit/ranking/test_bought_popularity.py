"""Popularity cannot be bought: what a few viewers do moves no item, what many do does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.ranking.items.popularity.audience import BOT_HOURS
from reelrank.ranking.items.popularity.counters import NEW_VIEWERS_IGNORED, Popularity
from reelrank.ranking.items.popularity.half_lives import HALF_LIVES_DAYS
from reelrank.ranking.items.watch_columns import WatchColumns
from tests.unit.ranking.watching import build_watches, count

ITEMS, VIEWERS = 200, 400
NOW = 400.0
TARGET, PAGE = 150, 24


def build_history() -> WatchColumns:
    """Loaded watches of a year: item r is watched by about 400 / (r + 1) of 400 viewers."""
    rng = np.random.default_rng(0)
    pairs = np.argwhere(rng.random((VIEWERS, ITEMS)) < 1 / np.arange(1, ITEMS + 1))
    days = rng.uniform(NOW - 365, NOW - 2, len(pairs))
    days[-1] = NOW  # else time passes with the events of a test, and shares change by that
    return build_watches(pairs[:, 0].tolist(), pairs[:, 1].tolist(), days.tolist())


def rank(popularity: Popularity, half_life: float) -> list[int]:
    rows, _ = popularity.find_most_watched(ITEMS, lambda rows: np.ones(len(rows), bool), half_life)
    return [int(row) for row in rows]


def find_largest_move(attack: list[WatchColumns], half_life: float, page: int = PAGE) -> int:
    """Returns by how many positions any item of a page moved, or came in from further down."""
    before, after = (rank(count(ITEMS, build_history(), *more), half_life) for more in ([], attack))
    position = {row: n for n, row in enumerate(before)}
    return max(abs(position.get(row, ITEMS) - n) for n, row in enumerate(after[:page]))


@pytest.mark.parametrize("half_life", HALF_LIVES_DAYS)
@pytest.mark.parametrize("target", [0, 20, 99, TARGET])
def test_three_thousand_events_of_one_new_viewer_move_nothing(half_life: float, target: int) -> None:
    attack = [build_watches([9999] * 3000, target, NOW, received_days=NOW)]
    assert find_largest_move(attack, half_life, ITEMS) == 0


@pytest.mark.parametrize("half_life", HALF_LIVES_DAYS)
def test_fifty_new_viewers_move_nothing(half_life: float) -> None:
    viewers = [10_000 + n % 50 for n in range(3000)]
    assert find_largest_move([build_watches(viewers, TARGET, NOW, received_days=NOW)], half_life, ITEMS) == 0


@pytest.mark.parametrize("half_life", HALF_LIVES_DAYS[2:])
@pytest.mark.parametrize("target", [0, 10, 30, TARGET])
def test_one_established_viewer_moves_an_item_little(half_life: float, target: int) -> None:
    attack = [build_watches([7] * 3000, target, NOW, received_days=NOW)]
    assert find_largest_move(attack, half_life) <= 5


@pytest.mark.parametrize("half_life", HALF_LIVES_DAYS)
def test_three_thousand_established_viewers_move_an_item_up(half_life: float) -> None:
    viewers = range(20_000, 23_000)
    known = build_watches(viewers, 199, NOW - 30, received_days=NOW - 30)
    back = build_watches(viewers, TARGET, NOW, received_days=NOW)
    assert rank(count(ITEMS, build_history(), known, back), half_life)[0] in (TARGET, 199)
    assert TARGET in rank(count(ITEMS, build_history(), known, back), half_life)[:2]


def test_very_many_new_viewers_count_in_part() -> None:
    many_viewers = build_watches(range(20_000, 23_000), TARGET, NOW, received_days=NOW)
    assert rank(count(ITEMS, build_history(), many_viewers), 30)[0] == TARGET


def test_new_viewers_count_in_full_where_nobody_is_established() -> None:
    popularity = count(3, build_watches(range(3), [0, 0, 1], NOW, received_days=NOW))
    assert popularity.compute_shares(np.arange(3))[:, 1].tolist() == pytest.approx([2 / 3, 1 / 3, 0])


def test_a_viewer_who_comes_back_counts_with_the_first_visit() -> None:
    first = build_watches([9999], TARGET, NOW - 8, received_days=NOW - 8)
    audience = count(ITEMS, build_history(), first).audience
    assert not audience.are_established(np.array([9999], np.uint64))[0]
    audience.add(build_watches([9999], 3, NOW, received_days=NOW))
    assert audience.are_established(np.array([9999], np.uint64))[0]


def test_what_is_received_of_a_bot_counts_for_nothing_from_then_on_and_before() -> None:
    busy = build_watches([7] * 100, range(100), NOW, received_days=NOW)
    busy = replace(busy, hours=np.full(100, 2 * BOT_HOURS / 100, np.float32))
    quiet = count(ITEMS, build_history())
    noisy = count(ITEMS, build_history(), *(busy for _ in range(2)))
    assert noisy.audience.are_bots(np.array([7, 8], np.uint64)).tolist() == [True, False]
    assert rank(noisy, 365)[:20] == rank(quiet, 365)[:20]


def test_a_verdict_takes_only_what_was_received_of_a_bot() -> None:
    known = build_watches([9999] * 3, [1, 50, 120], [NOW - 90, NOW - 9, NOW - 8])
    recent = build_watches([9999] * 2, [50, 150], NOW - 1, received_days=NOW - 1)
    busy = replace(
        build_watches([9999] * 2, [1, 180], NOW, received_days=NOW), hours=np.full(2, BOT_HOURS, np.float32)
    )
    loaded, noisy = (count(ITEMS, build_history(), *more) for more in ([known], [known, recent, busy]))
    assert noisy.audience.are_bots(np.array([9999], np.uint64)).all()
    rows = np.arange(ITEMS)
    np.testing.assert_allclose(noisy.compute_shares(rows), loaded.compute_shares(rows), rtol=1e-5)


def test_a_watch_in_a_year_from_now_does_not_stay_on_top() -> None:
    """The clock of a server was wrong once."""
    wrong = build_watches([7], TARGET, NOW + 365)
    assert TARGET not in rank(count(ITEMS, build_history(), wrong), 7)[:5]


NOISY = [7, 12, 31, 44, 58, 63, 77, 81, 95, 99]


@pytest.mark.parametrize("half_life", HALF_LIVES_DAYS)
@pytest.mark.parametrize("first", [0, 20, 40, 100])
@pytest.mark.parametrize(("viewers", "films"), [(1, 1), (1, 20), (2, 5), (10, 20)])
def test_noisy_established_viewers_move_no_item_far(
    half_life: float, first: int, viewers: int, films: int
) -> None:
    """Each sends 3,000 events on one day."""
    noisy = [NOISY[n % viewers] for n in range(3000 * viewers)]
    rows = [first + n // viewers % films for n in range(3000 * viewers)]
    assert find_largest_move([build_watches(noisy, rows, NOW, received_days=NOW)], half_life) <= 5


def test_a_noisy_viewer_counts_less_whenever_the_noise_comes() -> None:
    """A batch with the first watches and one with all the others give what one batch gives."""
    rows = np.arange(ITEMS)
    first, others = (build_watches([7] * n, range(n), NOW, received_days=NOW) for n in (10, ITEMS))
    early, late = count(ITEMS, build_history(), first, others), count(ITEMS, build_history(), others, first)
    np.testing.assert_allclose(early.compute_shares(rows), late.compute_shares(rows), rtol=1e-6)


def test_the_next_day_of_a_noisy_viewer_counts_in_full() -> None:
    noise = build_watches([9999] * 3000, list(range(30)) * 100, NOW, received_days=NOW)
    known = build_watches([9999], 0, NOW - 30)
    calm = build_watches([9999] * 2, [198, 199], NOW + 1, received_days=NOW + 1)
    found = count(ITEMS, known, noise, calm).audience.list_watched(np.array([20, 199]))
    counted = np.bincount(found.rows, found.established)
    assert counted[[20, 199]] == pytest.approx([1 / 225, 1])


@pytest.mark.parametrize("order", [1, -1])
def test_noise_takes_nothing_from_what_the_viewer_watched_before(order: int) -> None:
    known = build_watches([9999] * 30, range(30), NOW)
    noise = build_watches([9999] * 3000, list(range(30)) * 100, NOW, received_days=NOW)
    quiet = count(ITEMS, build_history(), known)
    noisy = count(ITEMS, build_history(), *[known, noise][::order])
    rows = np.arange(ITEMS)
    np.testing.assert_allclose(noisy.compute_shares(rows), quiet.compute_shares(rows), rtol=0.002)


watches = st.lists(
    st.tuples(
        st.integers(0, 150), st.integers(0, 9), st.integers(1, 40), st.sampled_from((0.3, 0.7, 1.0)),
        st.sampled_from((None, 1, 20)), st.sampled_from((0.0, 30.0)),
    ),
    min_size=1, max_size=60,
)  # fmt: skip


@given(given_watches=watches, seed=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_the_order_of_watches_does_not_matter(
    given_watches: list[tuple[int, int, int, float, float | None, float]], seed: int
) -> None:
    """Loaded or received, of new and established viewers and of bots, one at a time or all at once."""
    columns = [
        replace(build_watches([viewer], row, day, share, received), hours=np.array([hours], np.float32))
        for viewer, row, day, share, received, hours in given_watches
    ]
    rng = np.random.default_rng(seed)
    known = build_watches(range(1000, 1080), [n % 10 for n in range(80)])
    shuffled = [columns[n] for n in rng.permutation(len(columns)).tolist()]
    first, second = count(10, known, *columns), count(10, *shuffled, known)
    shares = [each.compute_shares(np.arange(10)) for each in (first, second)]
    np.testing.assert_allclose(shares[0], shares[1], rtol=1e-4, atol=1e-9)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelrank.ranking.items.popularity.audience.MAX_PAIRS", 500)
    monkeypatch.setattr("reelrank.ranking.items.popularity.audience.MAX_VIEWERS", 300)
    popularity = Popularity(10)
    for day in range(100):
        popularity.add_watches(build_watches(range(day * 20, day * 20 + 20), day % 10, day + 1))
        assert popularity.audience.count_remembered() <= (500, 300)
    assert popularity.compute_shares(np.arange(10))[:, -1].sum() == pytest.approx(1, abs=1e-3)


def test_new_viewers_beyond_those_ignored_count() -> None:
    few, many = (
        count(
            ITEMS, build_history(), build_watches(range(20_000, 20_000 + n), TARGET, NOW, received_days=NOW)
        )
        for n in (int(NEW_VIEWERS_IGNORED), int(NEW_VIEWERS_IGNORED) + 50)
    )
    shares = [each.compute_shares(np.array([TARGET]))[0, 3] for each in (few, many)]
    assert shares[0] < shares[1]

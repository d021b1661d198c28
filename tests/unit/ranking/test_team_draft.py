"""The merge of two rankings: each item once, each team its best in turn, and the coins of a seed."""

import numpy as np
import pytest

from reelrank.ranking.policies.team_draft import DRAFTED, NO_TEAM, draft_teams

FIRST = np.array([0, 1, 2, 3, 4, 5])
SECOND = np.array([5, 1, 0, 6, 2, 7])


def draft_by_the_book(first: list[int], second: list[int], coins: list[int]) -> list[tuple[int, int]]:
    """Returns items with their teams, by the algorithm as the paper states it."""
    merged = list[tuple[int, int]]()
    for coin in coins:
        for team in (coin, 1 - coin):
            taken = [item for item, _ in merged]
            left = [item for item in (first, second)[team] if item not in taken]
            merged += [(left[0], team)] if left else []
    return merged


@pytest.mark.parametrize("seed", range(20))
def test_the_draft_is_that_of_the_paper(seed: int) -> None:
    drafted = draft_teams(FIRST, SECOND, 8, seed)
    coins = np.random.default_rng(seed).integers(0, 2, DRAFTED // 2).tolist()
    expected = draft_by_the_book(FIRST.tolist(), SECOND.tolist(), coins)
    assert [(item, drafted.teams[item]) for item in drafted.order.tolist()] == expected
    assert sorted(drafted.order.tolist()) == list(range(8))


def test_the_same_seed_gives_the_same_page_and_both_teams_begin_equally_often() -> None:
    drafts = [draft_teams(FIRST, SECOND, 8, seed) for seed in range(2000)]
    again = draft_teams(FIRST, SECOND, 8, 7)
    assert np.array_equal(again.order, drafts[7].order)
    leading = np.mean([draft.teams[draft.order[0]] for draft in drafts])
    assert leading == pytest.approx(0.5, abs=0.03)


def test_equal_rankings_stay_as_they_are_and_each_pair_has_both_teams() -> None:
    drafted = draft_teams(FIRST, FIRST, 6, 3)
    assert drafted.order.tolist() == FIRST.tolist()
    assert [sorted(drafted.teams[[pair, pair + 1]].tolist()) for pair in (0, 2, 4)] == [[0, 1]] * 3


def test_what_follows_the_draft_keeps_the_first_order_and_has_no_team() -> None:
    long = np.arange(DRAFTED + 50)
    drafted = draft_teams(long, long[::-1], len(long), 1)
    rest = drafted.order[DRAFTED:]
    assert (drafted.teams[rest] == NO_TEAM).all()
    assert rest.tolist() == sorted(rest.tolist())


@pytest.mark.parametrize(("first", "second"), [([], []), ([2, 0], []), ([], [1])])
def test_an_empty_ranking_leaves_the_other(first: list[int], second: list[int]) -> None:
    drafted = draft_teams(np.array(first, np.intp), np.array(second, np.intp), 3, 0)
    assert drafted.order.tolist() == [*first, *second]

"""Made-up duels: pages are drafted as the service drafts them, and the truth is what it should be."""

import numpy as np
import pytest

from benchmarks.experiments.duels import Duel, draft_pages, simulate_duel, tune_duel
from reelrank.ranking.policies.team_draft import DRAFTED, draft_teams

PAGES, CANDIDATES = 30, 40


def test_pages_are_drafted_as_one_page_of_the_service_is() -> None:
    rng = np.random.default_rng(0)
    first, second = (np.argsort(rng.random((PAGES, CANDIDATES)), axis=1) for _ in range(2))
    coins = np.stack([np.random.default_rng(seed).integers(0, 2, DRAFTED // 2) for seed in range(PAGES)])
    items, teams = draft_pages(first, second, coins[:, :10])
    for page in range(PAGES):
        expected = draft_teams(first[page], second[page], CANDIDATES, seed=page)
        assert items[page].tolist() == expected.order[:20].tolist()
        assert teams[page].tolist() == expected.teams[expected.order[:20]].tolist()


def test_equal_rankers_win_equally_often_and_a_sharper_one_gains_what_was_asked() -> None:
    equal = simulate_duel(Duel(0.5), 3000, seed=0)
    first, second = equal.used.sum(axis=0)
    assert second / (first + second) == pytest.approx(0.5, abs=0.02)
    assert equal.lift == pytest.approx(0.0, abs=0.01)
    better = simulate_duel(tune_duel(0.5, 0.05), 3000, seed=1)
    assert better.lift == pytest.approx(0.05, abs=0.01)
    assert better.used[:, 1].sum() > better.used[:, 0].sum()

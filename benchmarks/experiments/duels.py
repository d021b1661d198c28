"""Made-up rankings of two rankers, interleaved, and clicks by the position-based model of the simulator.

Vectorised over pages; no service runs. A page has candidates with an appeal to its viewer. Both rankers see
the appeal with noise: some of it shared, some of it their own. The second one sees it `sharper` times as
strongly, so what it ranks first is clicked more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.behaviour import BASE, compute_examination

CANDIDATES, PAGE_SIZE, PAGES_A_VIEWER = 60, 20, 5.0
SHARED_NOISE = 0.5
"""Standard deviation of the noise that both rankers share, in those of the appeal."""
VIEWER_DEVIATION = 0.7
"""Of viewers' log odds of a click: some click much more than others."""
VIEWERS_AT_ONCE = 3000
TUNING_VIEWERS = 12_000
EXAMINATION = compute_examination(PAGE_SIZE)
Matrix = NDArray[np.float64]
Rankings = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Duel:
    """Two rankers. own_noise: of each alone. sharper: of the second."""

    own_noise: float
    sharper: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class DuelTotals:
    """Of viewers [n]: pages; expected clicks [n, 2] if all their pages were of one ranker; and clicks [n, 2]
    on the items of both teams of their interleaved pages."""

    pages: Matrix
    expected: Matrix
    used: Matrix

    @property
    def lift(self) -> float:
        """Returns what the second ranker gains in expected clicks, as a share."""
        first, second = self.expected.sum(axis=0)
        return float(second / first - 1)


def simulate_duel(duel: Duel, viewers: int, seed: int) -> DuelTotals:
    """Simulates viewers in parts that fit in memory."""
    parts = [_simulate_part(duel, n, rng) for n, rng in _split(viewers, seed)]
    return DuelTotals(
        np.concatenate([part.pages for part in parts]),
        np.concatenate([part.expected for part in parts]),
        np.concatenate([part.used for part in parts]),
    )


def tune_duel(own_noise: float, lift: float, seed: int = 0) -> Duel:
    """Returns the duel whose second ranker gains this share of clicks, by bisection on the same pages."""
    low, high = 1.0, 4.0
    for _ in range(12):
        middle = (low + high) / 2
        found = simulate_duel(Duel(own_noise, middle), TUNING_VIEWERS, seed).lift
        low, high = (middle, high) if found < lift else (low, middle)
    return Duel(own_noise, (low + high) / 2)


def _split(viewers: int, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    for number, start in enumerate(range(0, viewers, VIEWERS_AT_ONCE)):
        yield min(VIEWERS_AT_ONCE, viewers - start), np.random.default_rng([seed, number])


def _simulate_part(duel: Duel, viewers: int, rng: np.random.Generator) -> DuelTotals:
    pages = rng.geometric(1 / PAGES_A_VIEWER, viewers)
    viewer = np.repeat(np.arange(viewers), pages)
    shape = len(viewer), CANDIDATES
    appeal, shared, *own = (rng.standard_normal(shape, np.float32) for _ in range(4))
    noises = [SHARED_NOISE * shared + duel.own_noise * noise for noise in own]
    rankings = (
        np.argsort(-(appeal + noises[0]), axis=1),
        np.argsort(-(duel.sharper * appeal + noises[1]), axis=1),
    )
    activity = rng.normal(0, VIEWER_DEVIATION, viewers)[viewer, None]
    attraction = 1 / (1 + np.exp(-(BASE + appeal + activity)))
    expected = [_select(attraction, ranked[:, :PAGE_SIZE]) @ EXAMINATION for ranked in rankings]
    items, teams = draft_pages(*rankings, rng.integers(0, 2, (len(viewer), PAGE_SIZE // 2)))
    clicked = rng.random(items.shape) < _select(attraction, items) * EXAMINATION
    used = [(clicked & (teams == team)).sum(axis=1) for team in (0, 1)]
    return DuelTotals(
        pages.astype(float),
        np.stack([np.bincount(viewer, column, viewers) for column in expected], axis=1),
        np.stack([np.bincount(viewer, column, viewers) for column in used], axis=1),
    )


def draft_pages(
    first: Rankings, second: Rankings, coins: NDArray[np.int64]
) -> tuple[Rankings, NDArray[np.int64]]:
    """Returns items and teams [b, k] of pages by team draft, as `draft_teams` does for one page.

    first, second [b, n]: both rankings. coins [b, k / 2]: which of them chooses first in each round.
    """
    b, n = first.shape
    order = np.arange(n, dtype=np.int16)
    ranks = np.empty((2, b, n), np.int16)
    for number, ranked in enumerate((first, second)):
        np.put_along_axis(ranks[number], ranked, np.broadcast_to(order, (b, n)), axis=1)
    rows, columns, teams = np.arange(b), [], np.stack([coins, 1 - coins], axis=2).reshape(b, -1)
    for team in teams.T:
        item = ranks[team, rows].argmin(axis=1)
        ranks[:, rows, item] = n
        columns.append(item)
    return np.stack(columns, axis=1), teams


def _select(values: Matrix, items: Rankings) -> Matrix:
    return np.take_along_axis(values, items, axis=1)

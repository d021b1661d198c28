"""Half-lives of popularity: the days after which a watch, an impression or a click counts half."""

import numpy as np
from numpy.typing import NDArray

HALF_LIVES_DAYS = (1.0, 7.0, 30.0, 365.0, 3650.0)
"""Half-lives at which popularity is counted; each is a `share_` signal, and the `popular` source uses one."""
DEFAULT_HALF_LIFE_DAYS = 30
"""Half-life of the `popular` source before a training run chose one: between the best of two histories."""
COMPARED_DAYS = 365
"""Half-life of lists that are sorted by popularity, and of suggestions."""
SMOOTHING_WATCHES = 5000.0
"""Watches of the next longer half-life that are mixed into each share. A choice: what a viewer adds on one
day is at most 20 of them, 0.4 %, however few others watch."""
CTR_HALF_LIFE = 2
"""Index into HALF_LIVES_DAYS: click-through is counted over about a month."""
BASELINE_HALF_LIVES_DAYS = (7.0, 30.0, 90.0, 365.0, 1095.0, 3650.0, float("inf"))
"""Half-lives that the popularity baseline of an evaluation tries; the last counts every watch alike."""


def find_half_life(days: float) -> int:
    """Returns the index of the half-life of HALF_LIVES_DAYS that is nearest on a logarithmic scale."""
    return int(np.abs(np.log(np.array(HALF_LIVES_DAYS) / days)).argmin())


def smooth_shares(counts: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns shares [n, 5] from decayed counts [n, 5] and their totals [5], in watches of now.

    A window with few watches says little about items, and one viewer could change it. So each share is the
    mean of its own and of the next longer one, weighted by the watches of the window and SMOOTHING_WATCHES
    (Dirichlet smoothing, Zhai & Lafferty 2001). The longest is smoothed with nothing: a total below one watch
    counts as one, because while nobody watches, nothing is popular.
    """
    shares = np.empty_like(counts)
    shares[:, -1] = counts[:, -1] / max(totals[-1], 1.0)
    for index in range(len(totals) - 2, -1, -1):
        expected = SMOOTHING_WATCHES * shares[:, index + 1]
        shares[:, index] = (counts[:, index] + expected) / (totals[index] + SMOOTHING_WATCHES)
    return shares

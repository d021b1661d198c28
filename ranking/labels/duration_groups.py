"""Watch time corrected for duration: how long a play was among plays of items about as long.

Duration-deconfounded quantiles (D2Q): Zhan et al. 2022, "Deconfounding Duration Bias in Watch-time Prediction
for Video Recommendation". A share favours short items, milliseconds favour long ones; the quantile within a
group of durations favours neither.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GROUPS = 10
"""Groups of durations. Zhan et al. 2022 gained up to about 30 groups on tens of millions of plays."""
MIN_PLAYS = 50
"""Plays a group must have for its quantiles to mean something; fewer groups are made of fewer plays."""
GRID = np.linspace(0, 1, 101)
"""The quantiles that are kept for each group: memory does not grow with the number of plays."""


@dataclass(frozen=True, slots=True, eq=False)
class DurationGroups:
    """Quantiles of watch time by group of durations.

    edges_ms [g - 1]: inner edges of the durations of g groups. watched_ms [g, 101]: the watch time at each
    quantile of GRID.
    """

    edges_ms: NDArray[np.float64]
    watched_ms: NDArray[np.float64]

    def compute_quantiles(
        self, watched_ms: NDArray[np.float64], duration_ms: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Returns the share [n] of plays in the group of the duration that were shorter, 0 to 1.

        Plays of the same time count half. NaN where either time is unknown, or the duration is not above 0.
        """
        quantiles = np.full(len(watched_ms), np.nan)
        known = np.isfinite(watched_ms) & (duration_ms > 0)
        group_of_play = np.searchsorted(self.edges_ms, duration_ms, side="right")
        for group, grid in enumerate(self.watched_ms):
            rows = np.flatnonzero(known & (group_of_play == group))
            shorter, not_longer = (
                np.searchsorted(grid, watched_ms[rows], side) for side in ("left", "right")
            )
            quantiles[rows] = (shorter + not_longer) / (2 * len(GRID))
        return quantiles


def fit_duration_groups(
    watched_ms: NDArray[np.float64], duration_ms: NDArray[np.float64], groups: int = GROUPS
) -> DurationGroups:
    """Divides plays into groups of durations of about equally many plays. Times are NaN where unknown.

    Raises ValueError when no play has both times.
    """
    known = np.isfinite(watched_ms) & (duration_ms > 0)
    watched, duration = watched_ms[known], duration_ms[known]
    if not len(watched):
        raise ValueError(
            "no watch states how long it lasted and how long the item is; load watched_ms and duration_ms"
        )
    count = max(min(groups, len(watched) // MIN_PLAYS), 1)
    edges = np.unique(np.quantile(duration, np.linspace(0, 1, count + 1)[1:-1]))
    group_of_play = np.searchsorted(edges, duration, side="right")
    found = np.unique(group_of_play)
    kept = edges[found[1:] - 1]  # an edge below which no play is makes no group
    group_of_play = np.searchsorted(kept, duration, side="right")
    grids = [np.quantile(watched[group_of_play == group], GRID) for group in range(len(kept) + 1)]
    return DurationGroups(kept, np.array(grids))

"""Grades: what a play says about how much a viewer wanted an item, 0 to 3, by the label that a setting names.

Every label agrees on what is relevant: a quick skip is 0 whatever the label, any other play is at least 1. So
the binary for the probability is `grade > 0`, and labels differ in which plays the ranker puts first.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.ranking.arrow_columns import to_array, to_floats
from reelrank.ranking.items.engagements import compute_watched_shares, is_skipped
from reelrank.ranking.labels.attribution import COMPLETED_SHARE
from reelrank.ranking.labels.duration_groups import DurationGroups, fit_duration_groups

GOOD_SHARE, BEST_SHARE = 0.4, 0.7
"""Watched shares from which a play is graded 2 and 3. A choice; no measurement is recorded."""
GOOD_QUANTILE, BEST_QUANTILE = 1 / 3, 2 / 3
"""Quantiles from which a play is graded 2 and 3: a third of the plays of a group of durations each."""
LIKE_GRADE = 3
"""The grade of a liked item: that of one that was watched to the end."""


class Label(StrEnum):
    """Which label the ranker learns."""

    WATCHED_SHARE = "watched_share"
    DURATION_CORRECTED = "duration_corrected"
    COMPLETION = "completion"
    PLAYED = "played"


@dataclass(frozen=True, slots=True, eq=False)
class Grader:
    """Grades plays by a label. groups: for DURATION_CORRECTED, which is WATCHED_SHARE without them."""

    label: Label = Label.WATCHED_SHARE
    groups: DurationGroups | None = None

    def grade_plays(
        self, watched_ms: NDArray[np.float64], duration_ms: NDArray[np.float64]
    ) -> NDArray[np.int32]:
        """Returns the grade [n] of each play from times [n] that are NaN where unknown.

        An unknown share gives 1: the viewer played the item, and no more is known.
        """
        shares = compute_watched_shares(watched_ms, duration_ms).astype(np.float64)
        grades = 1 + self._count_steps(shares, watched_ms, duration_ms)
        return np.where(is_skipped(shares.astype(np.float32)), 0, grades).astype(np.int32)

    def _count_steps(
        self, shares: NDArray[np.float64], watched_ms: NDArray[np.float64], duration_ms: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Returns by how much each play [n] is above a mere play: 0, 1 or 2."""
        if self.label is Label.PLAYED:
            return np.zeros(len(shares), np.int64)
        if self.label is Label.COMPLETION:
            return 2 * (shares >= COMPLETED_SHARE).astype(np.int64)
        if self.label is Label.DURATION_CORRECTED and self.groups is not None:
            quantiles = self.groups.compute_quantiles(watched_ms, duration_ms)
            return (quantiles >= GOOD_QUANTILE).astype(np.int64) + (quantiles >= BEST_QUANTILE)
        return (shares >= GOOD_SHARE).astype(np.int64) + (shares >= BEST_SHARE)


def build_grader(label: Label, watches: pa.Table) -> Grader:
    """Builds the grader of a label from past watches, with the columns watched_ms and duration_ms.

    Watches without both times leave nothing to correct: the label is then the watched share.
    """
    if label is not Label.DURATION_CORRECTED:
        return Grader(label)
    try:
        return Grader(label, fit_duration_groups(*_read_times(watches)))
    except ValueError:
        return Grader(label)


def grade_shown_items(rows: pa.Table | pa.RecordBatch, grader: Grader) -> NDArray[np.int32]:
    """Returns the grade [n] of each shown item from the columns of ATTRIBUTION_SCHEMA.

    An opinion outweighs the watch: a liked item is LIKE_GRADE, a disliked one 0. What was not played is 0.
    """
    plays = grader.grade_plays(*_read_times(rows))
    played, liked, disliked = (to_array(rows[name], np.bool_) for name in ("played", "liked", "disliked"))
    grades = np.where(played, plays, 0)
    return np.where(disliked, 0, np.where(liked, LIKE_GRADE, grades)).astype(np.int32)


def _read_times(rows: pa.Table | pa.RecordBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return to_floats(rows["watched_ms"]), to_floats(rows["duration_ms"])

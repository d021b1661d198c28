"""Viewers: what they like at any time, and when they come, leave and return."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.films import DIMENSIONS, Factors, Rows, create_generator, normalise
from reelrank.index_mappings.event import DAY_MS, HOUR_MS, MINUTE_MS

WEEK_MS = 7 * DAY_MS
HOURLY_VISITS = np.array(
    [3, 2, 1, 1, 1, 1, 2, 4, 5, 4, 4, 5, 6, 6, 5, 5, 6, 8, 11, 14, 15, 13, 9, 5], np.float64
)
"""Relative number of visits by hour of the day, most in the evening. A choice."""
TURN_PER_WEEK = 0.8
"""Standard deviation of the angle by which a taste turns in a week, in radians. A choice."""
MOOD = 0.6
"""Largest weight of the hour of the day in a taste. A choice."""
SESSIONS_PER_DAY = (0.3, 2.0)
"""Fewest and most sessions that a viewer has in a day."""
LATE_SHARE = 0.1
"""Share of viewers who come for the first time during the simulation, at any time of it."""
STAY_AFTER_CLICK, STAY_WITHOUT = 0.75, 0.5
"""Probability of another page in the same session."""
LAPSE, UNSATISFIED_LAPSE, LAPSE_DAYS = 0.03, 0.12, 5.0
"""Probability of leaving for days, after a session with and without a watch; and for how many at least."""
UNSATISFIED_GAP = 1.5
"""How much longer until a viewer returns who watched nothing."""

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Requests for a page. rows [b]: of the viewers. at_ms [b]."""

    rows: Rows
    at_ms: Times

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Stays:
    """How visits ended. has_clicked [b]: on the page. end_ms [b]: when what was watched there was over."""

    has_clicked: NDArray[np.bool_]
    end_ms: Times


class Viewers:
    """Viewers by row. ids: their user ids. next_ms [v]: when they want their next page."""

    def __init__(self, seed: int, count: int, start_ms: int, end_ms: int) -> None:
        rng = create_generator(seed, "viewers", count)
        self.ids: Sequence[str] = [f"simulated-{seed}-{n}" for n in range(count)]
        self._first, self._second = normalise(rng.normal(size=(2, count, DIMENSIONS)))
        self._turn = rng.normal(0, TURN_PER_WEEK, count)
        self._mood = rng.uniform(0, MOOD, count)
        self._morning, self._evening = normalise(rng.normal(size=(2, DIMENSIONS)))
        self._sessions_per_day = rng.uniform(*SESSIONS_PER_DAY, count)
        self._start_ms = start_ms
        self._is_satisfied = np.zeros(count, np.bool_)
        first_ms = start_ms + rng.exponential(1 / self._sessions_per_day) * DAY_MS
        is_late = rng.random(count) < LATE_SHARE
        first_ms[is_late] = rng.uniform(start_ms, end_ms, is_late.sum())
        self.next_ms = _move_to_usual_hours(first_ms, rng)

    def __len__(self) -> int:
        return len(self.ids)

    def compute_tastes(self, visits: Visits) -> Factors:
        """Returns the tastes [b, DIMENSIONS], of length 1, at the times of visits."""
        rows, weeks = visits.rows, (visits.at_ms - self._start_ms) / WEEK_MS
        angle = (self._turn[rows] * weeks)[:, None]
        lasting = np.cos(angle) * self._first[rows] + np.sin(angle) * self._second[rows]
        hour = (2 * np.pi * (visits.at_ms % DAY_MS) / DAY_MS)[:, None]
        mood = np.cos(hour) * self._morning + np.sin(hour) * self._evening
        return normalise(lasting + self._mood[rows][:, None] * mood)

    def find_due(self, from_ms: int, to_ms: int) -> Visits:
        """Returns who wants a page before to_ms; nobody is earlier than from_ms."""
        rows = np.flatnonzero(self.next_ms < to_ms)
        return Visits(rows, np.maximum(self.next_ms[rows], from_ms))

    def leave_or_stay(self, visits: Visits, stays: Stays, rng: np.random.Generator) -> None:
        """Decides when each of these viewers wants the next page: in a minute, or in another session."""
        rows, n = visits.rows, len(visits)
        self._is_satisfied[rows] |= stays.has_clicked
        stays_on = rng.random(n) < np.where(stays.has_clicked, STAY_AFTER_CLICK, STAY_WITHOUT)
        soon_ms = stays.end_ms + (0.2 + rng.exponential(1.0, n)) * MINUTE_MS
        is_satisfied = self._is_satisfied[rows]
        gap_days = rng.exponential(1 / self._sessions_per_day[rows]) * np.where(
            is_satisfied, 1.0, UNSATISFIED_GAP
        )
        lapses = rng.random(n) < np.where(is_satisfied, LAPSE, UNSATISFIED_LAPSE)
        gap_days += lapses * (LAPSE_DAYS + rng.exponential(LAPSE_DAYS, n))
        later_ms = _move_to_usual_hours(stays.end_ms + gap_days * DAY_MS, rng)
        later_ms += DAY_MS * (later_ms <= soon_ms)
        self.next_ms[rows] = np.where(stays_on, np.round(soon_ms), later_ms).astype(np.int64)
        self._is_satisfied[rows[~stays_on]] = False


def _move_to_usual_hours(times_ms: NDArray[np.float64], rng: np.random.Generator) -> Times:
    """Returns times [b] of the same days (UTC), at hours that are drawn from HOURLY_VISITS."""
    hours = rng.choice(24, len(times_ms), p=HOURLY_VISITS / HOURLY_VISITS.sum())
    days = np.floor(times_ms / DAY_MS)
    return np.asarray(days * DAY_MS + (hours + rng.random(len(times_ms))) * HOUR_MS, np.int64)

"""The truth of a made-up month: films that come out every day, viewers, and what a ranker can know of them.

Tastes, appeal, novelty and examination are those of the simulator (`app/simulation`).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.behaviour import (
    BASE,
    MAX_ATTRACTION,
    NOVELTY,
    NOVELTY_DAYS,
    SHARPNESS,
    compute_examination,
)
from reelrank.app.simulation.films import (
    APPEAL_DEVIATION,
    DIMENSIONS,
    GENRE_SHARE,
    GENRES,
    normalise,
)

Matrix = NDArray[np.float64]
Counts = NDArray[np.float64]
Rows = NDArray[np.intp]
PAGE_SIZE, SLOT, POOL = 20, 10, 50
"""As the service explores: the eleventh item of 20, from the 50 ranked from there on."""
EXAMINATION = compute_examination(PAGE_SIZE)
LATE_SHARE, LATE_HOURS = 0.3, 3
"""Of the uses: the share that arrives up to so many hours later."""


@dataclass(frozen=True, slots=True)
class MonthOptions:
    """pages: of an hour. old_films: at the start. new_films: that come out each day at midnight.

    warm_days: that are not measured.
    """

    seed: int
    days: int = 30
    warm_days: int = 10
    pages: int = 60
    viewers: int = 1000
    old_films: int = 400
    new_films: int = 5

    @property
    def films(self) -> int:
        return self.old_films + self.days * self.new_films


class MonthTruth:
    """The truth of a seed: the same whatever policy explores. Films are in the order in which they come out.

    published [n]: days. stated [n, d]: factors that the genre of a film says; factors: as they are.
    """

    def __init__(self, options: MonthOptions) -> None:
        rng = np.random.default_rng([options.seed, 0])
        self.options = options
        genres = normalise(rng.normal(size=(len(GENRES), DIMENSIONS)))
        self.stated = genres[rng.integers(0, len(GENRES), options.films)]
        own = normalise(rng.normal(size=(options.films, DIMENSIONS)))
        self.factors = normalise(GENRE_SHARE * self.stated + (1 - GENRE_SHARE) * own)
        self.tastes = normalise(rng.normal(size=(options.viewers, DIMENSIONS)))
        self.appeal = rng.normal(0, APPEAL_DEVIATION, options.films)
        old = -np.sort(rng.uniform(10, 300, options.old_films))[::-1]
        self.published = np.concatenate([old, np.repeat(np.arange(options.days), options.new_films)])

    def count_published(self, day: float) -> int:
        return int(np.searchsorted(self.published, day, "right"))

    def compute_log_odds(self, viewers: Rows, factors: Matrix, day: float) -> Matrix:
        """Returns log odds of a use [b, n] by taste and novelty, for the first films with these factors."""
        n, affinity = len(factors), self.tastes[viewers] @ factors.T
        return np.asarray(
            BASE + SHARPNESS * affinity + NOVELTY * np.exp(-(day - self.published[:n]) / NOVELTY_DAYS)
        )


@dataclass(slots=True, eq=False)
class Log:
    """What is known of films [n] from all slots of all pages, as of now.

    impressions, uses: as the service counts them. expected: uses that the ranker expected without knowing the
    film's appeal. young: impressions of the last LATE_HOURS hours, whose uses may still come. late: uses that
    are on their way, by hour.
    """

    impressions: Counts
    uses: Counts
    expected: Counts
    young: list[Counts] = field(default_factory=list)
    late: list[Counts] = field(default_factory=list)

    @staticmethod
    def create(films: int) -> "Log":
        impressions, uses, expected, *late = (np.zeros(films) for _ in range(3 + LATE_HOURS + 1))
        return Log(impressions, uses, expected, late=late)

    def add_hour(
        self, films: Rows, expected: Matrix, is_used: NDArray[np.bool_], rng: np.random.Generator
    ) -> None:
        """Adds pages [b, k] of one hour. expected [b, k]: uses that the ranker expected, without appeal."""
        n = len(self.uses)
        shown = np.bincount(films.ravel(), minlength=n).astype(float)
        self.impressions += shown
        self.expected += np.bincount(films.ravel(), expected.ravel(), n)
        self.young = [*self.young, shown][-LATE_HOURS:]
        used = films[is_used]
        is_late = rng.random(len(used)) < LATE_SHARE
        delay = np.where(is_late, rng.integers(1, LATE_HOURS + 1, len(used)), 0)
        for hour in range(LATE_HOURS + 1):
            self.late[hour] += np.bincount(used[delay == hour], minlength=n)
        self.uses += self.late.pop(0)
        self.late.append(np.zeros(n))


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The explored slots of b pages: films [b, POOL] best first. rates: uses that the ranker expects of each
    there; without_appeal: the same before it learned from clicks; ages: days."""

    films: Rows
    rates: Matrix
    without_appeal: Matrix
    ages: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class ServedPages:
    """Pages of one hour: films [b, PAGE_SIZE] as shown, and which were used."""

    films: Rows
    is_used: NDArray[np.bool_]


def to_probability(log_odds: Matrix) -> Matrix:
    return np.asarray(MAX_ATTRACTION / (1 + np.exp(-log_odds)))

"""Viewers of the simulator, day by day: what experiments without an effect are drawn from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.films import Films, make_films
from reelrank.app.simulation.recommenders import Feedback, InProcessRecommender
from reelrank.app.simulation.traffic import GroundTruth, TrafficOptions, run_traffic
from reelrank.index_mappings.event import DAY_MS
from reelrank.ranking.experiments.measurement.metrics import VIEWERS
from reelrank.ranking.experiments.measurement.outcomes import ViewerTotals
from reelrank.ranking.progress import ignore_progress

MEASURED = ("pages", "seen", "used", "watched_s")
FILMS, FILM_AGE_DAYS = 500, 100
START_MS = 20_000 * DAY_MS


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """What viewers [v] did on each day [d]: arrays [v, d] by name. The first `past` days are before."""

    days: Mapping[str, NDArray[np.float64]]
    past: int

    def draw_looks(self, viewers: int, days: int, rng: np.random.Generator) -> list[ViewerTotals]:
        """Returns the totals of one A/A experiment as they were after each day, of those who had come."""
        rows = rng.integers(0, len(self.days["pages"]), viewers)
        now = {name: values[rows, self.past : self.past + days] for name, values in self.days.items()}
        before = {name: values[rows, : self.past].sum(axis=1) for name, values in self.days.items()}
        arms, ones = (rng.random(viewers) < 0.5).astype(np.int64), np.ones(viewers)
        sums = {name: values.cumsum(axis=1) for name, values in now.items()}
        active = (now["pages"] > 0).sum(axis=0).cumsum()
        looks = list[ViewerTotals]()
        for day in range(days):
            columns = {name: values[:, day] for name, values in sums.items()} | {VIEWERS: ones}
            totals = ViewerTotals(arms, columns, before | {VIEWERS: ones}, int(active[day]))
            looks.append(totals.select(sums["pages"][:, day] > 0))
        return looks


class DayCounter(InProcessRecommender):
    """Recommends by popularity and counts what each viewer does on each day."""

    def __init__(self, films: Films, options: TrafficOptions) -> None:
        super().__init__("popular", films, options.create_viewers(), options.seed)
        shape = options.viewers, int(options.days)
        self.days = {name: np.zeros(shape) for name in MEASURED}
        self._start_ms = options.start_ms

    def observe(self, feedback: Feedback) -> None:
        super().observe(feedback)
        visits, reactions = feedback.visits, feedback.reactions
        day = np.minimum((visits.at_ms - self._start_ms) // DAY_MS, self.days["pages"].shape[1] - 1)
        watched_s = (reactions.shares * feedback.duration_ms).sum(axis=1) / 1000
        sums = {
            "pages": np.ones(len(day)),
            "seen": reactions.is_viewed.sum(axis=1),
            "used": reactions.is_clicked.sum(axis=1),
            "watched_s": watched_s,
        }
        for name, values in sums.items():
            np.add.at(self.days[name], (visits.rows, day), values)


def simulate_population(viewers: int, days: int, past: int, seed: int = 0) -> Population:
    """Simulates days of viewers with known tastes (`reelrank simulate`, in process, by popularity)."""
    options = TrafficOptions(seed, viewers, days + past, START_MS)
    films = Films(seed)
    films.add(make_films(seed, "film", FILMS, START_MS - FILM_AGE_DAYS * DAY_MS))
    counter = DayCounter(films, options)
    run_traffic(options, GroundTruth(films, options.create_viewers()), counter, ignore_progress)
    return Population(counter.days, past)


def make_habits(days: int, past: int, viewers: int = 5000, seed: int = 0) -> Population:
    """Makes up viewers who differ in how often they come and in how much they use, always in the same way."""
    rng = np.random.default_rng(seed)
    visits, rates = rng.gamma(2.0, 0.5, (viewers, 1)), rng.beta(2.0, 18.0, (viewers, 1))
    pages = rng.poisson(visits, (viewers, days + past)).astype(np.float64)
    used = rng.binomial((5 * pages).astype(np.int64), rates).astype(np.float64)
    watched_s = 1800 * used * rng.gamma(2.0, 0.5, used.shape)
    return Population({"pages": pages, "seen": 5 * pages, "used": used, "watched_s": watched_s}, past)

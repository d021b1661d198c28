"""A simulated time of traffic: `run_traffic` serves every viewer who comes, and records what they do."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.behaviour import (
    Truth,
    compute_log_odds,
    compute_truth,
    draw_reactions,
    estimate_outcomes,
    measure_stays,
)
from reelrank.app.simulation.films import Films, Rows, create_generator, make_films
from reelrank.app.simulation.recommenders import Feedback, Pages, Recommender
from reelrank.app.simulation.report import TrafficReport
from reelrank.app.simulation.viewers import Viewers, Visits
from reelrank.index_mappings.event import DAY_MS, HOUR_MS, MINUTE_MS
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.progress import Progress

TICK_MS = 5 * MINUTE_MS
"""Visits of a tick are answered together; a viewer makes one visit in a tick at most."""
RELEASE_HOUR = 6
"""The hour of the day when new films come out."""


@dataclass(frozen=True, slots=True)
class TrafficOptions:
    """What is simulated. new_films: that come out in a day. page_size: films of a page."""

    seed: int
    viewers: int
    days: float
    start_ms: int
    page_size: int = 20
    new_films: int = 3

    @property
    def end_ms(self) -> int:
        return self.start_ms + round(self.days * DAY_MS)

    def create_viewers(self) -> Viewers:
        return Viewers(self.seed, self.viewers, self.start_ms, self.end_ms)


class GroundTruth:
    """The truth: films, viewers and who watched what."""

    def __init__(self, films: Films, viewers: Viewers) -> None:
        self.films = films
        self.viewers = viewers
        self._watched: set[int] = set()

    def find_truth(self, visits: Visits, pages: Pages) -> Truth:
        """Returns what is expected of pages at the time of the visits."""
        tastes = self.viewers.compute_tastes(visits)
        log_odds = compute_log_odds(tastes, self.films, pages.rows, visits.at_ms)
        keys = _build_keys(visits, pages.rows)
        is_watched = np.fromiter((key in self._watched for key in keys.ravel().tolist()), np.bool_, keys.size)
        return compute_truth(log_odds, self.films, pages.rows, is_watched.reshape(keys.shape))

    def remember(self, visits: Visits, pages: Pages, is_clicked: NDArray[np.bool_]) -> None:
        """Remembers what was watched."""
        self._watched.update(_build_keys(visits, pages.rows)[is_clicked].tolist())


class Traffic:
    """Visits in the order of time, by ticks. now_ms: up to when they were served."""

    def __init__(self, options: TrafficOptions, truth: GroundTruth, recommender: Recommender) -> None:
        self.report = TrafficReport(options.viewers, options.start_ms)
        self.now_ms = options.start_ms
        self._options = options
        self._truth = truth
        self._recommender = recommender

    def run_until(self, end_ms: int, progress: Progress) -> None:
        """Serves all visits before a time."""
        hours = round(self._options.days * 24)
        for tick_ms in range(self.now_ms, end_ms, TICK_MS):
            tick_end_ms = tick_ms + TICK_MS
            self._publish_new_films(tick_ms)
            visits = self._truth.viewers.find_due(tick_ms, tick_end_ms)
            self._recommender.advance(tick_end_ms)
            if len(visits):
                self._serve(visits)
            progress("simulated hours", (tick_end_ms - self._options.start_ms) // HOUR_MS, hours)
        self.now_ms = max(end_ms, self.now_ms)

    def _serve(self, visits: Visits) -> None:
        """Serves visits, draws what viewers do with their pages, and when they come again."""
        options, truth = self._options, self._truth
        tick = int(visits.at_ms[0] - options.start_ms) // TICK_MS
        rng = create_generator(options.seed, "visits", tick)
        pages = self._recommender.recommend(visits, options.page_size)
        expected = truth.find_truth(visits, pages)
        reactions = draw_reactions(expected, rng)
        stays, started_ms = measure_stays(visits, reactions, expected)
        truth.remember(visits, pages, reactions.is_clicked)
        truth.viewers.leave_or_stay(visits, stays, rng)
        self._recommender.observe(Feedback(visits, pages, reactions, started_ms, expected.duration_ms))
        outcomes = estimate_outcomes(
            expected, reactions, PLAY_WINDOW_MS, create_generator(options.seed, "outcomes", tick)
        )
        self.report.add(visits, expected, reactions, outcomes)

    def _publish_new_films(self, tick_ms: int) -> None:
        """Publishes the films of a day in its first tick after RELEASE_HOUR."""
        options, hour_ms = self._options, (tick_ms - RELEASE_HOUR * 60 * MINUTE_MS) % DAY_MS
        if options.new_films and hour_ms < TICK_MS:
            day = (tick_ms - options.start_ms) // DAY_MS
            films = make_films(options.seed, f"simulated-{options.seed}-{day}", options.new_films, tick_ms)
            self._recommender.publish(films, tick_ms)


def run_traffic(
    options: TrafficOptions, truth: GroundTruth, recommender: Recommender, progress: Progress
) -> TrafficReport:
    """Simulates all visits from start to end, in the order of time by ticks, and measures them."""
    traffic = Traffic(options, truth, recommender)
    traffic.run_until(options.end_ms, progress)
    recommender.advance(options.end_ms + DAY_MS)  # what was started in the end is watched to its end
    return traffic.report


def _build_keys(visits: Visits, rows: Rows) -> NDArray[np.int64]:
    return (visits.rows[:, None].astype(np.int64) << 32) + rows

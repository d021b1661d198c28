"""What a release is worth by the truth: watch time of its pages and of those that serve, by viewer."""

from dataclasses import dataclass

import numpy as np

from reelrank.app.clock import to_ms
from reelrank.app.search.page import RankingOptions
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.simulation.asked_pages import AskedPage
from reelrank.app.simulation.films import Film
from reelrank.app.simulation.recommenders import Pages
from reelrank.app.simulation.service_in_process import build_query, read_film
from reelrank.app.simulation.traffic import GroundTruth
from reelrank.app.simulation.viewers import Visits
from reelrank.app.state.release_states import load_release_state
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.event import MINUTE_MS
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_intervals
from reelrank.ranking.registry.releases import Release

PAGE = 20


@dataclass(frozen=True, slots=True)
class TrueEffect:
    """Expected minutes watched of a home page: of the release, of what served, and their difference."""

    minutes: float
    serving_minutes: float
    difference: Interval

    @property
    def share(self) -> float:
        """Returns the difference as a share of what served."""
        return self.difference.mean / max(self.serving_minutes, 1e-9)

    def describe(self) -> str:
        base = max(self.serving_minutes, 1e-9)
        low, high = self.difference.low / base, self.difference.high / base
        return f"{self.share:+.0%} [{low:+.0%}, {high:+.0%}]"


@dataclass(frozen=True, slots=True)
class Referee:
    """Knows the truth. viewers: whose pages it compares, the first by row."""

    service: SearchService
    truth: GroundTruth
    viewers: int

    def measure(self, release: Release) -> TrueEffect:
        """Compares home pages of a stored release with those of the serving one; nothing is recorded."""
        self.service.refresher.refresh()
        rows = np.arange(min(self.viewers, len(self.truth.viewers)))
        visits = Visits(rows, np.full(len(rows), to_ms(self.service.clock.now()), np.int64))
        states = load_release_state(self.service.refresher.sources, release), self.service.refresher.state
        new, old = (self._expect_minutes(visits, state) for state in states)
        difference = bootstrap_intervals((new - old)[:, None], 0)[0]
        return TrueEffect(float(new.mean()), float(old.mean()), difference)

    def _expect_minutes(self, visits: Visits, state: State) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        rows = np.full((len(visits), PAGE), -1, np.intp)
        for number, (viewer, at_ms) in enumerate(
            zip(visits.rows.tolist(), visits.at_ms.tolist(), strict=True)
        ):
            asked = AskedPage(self.truth.viewers.ids[viewer])
            query = build_query(asked, at_ms, PAGE)
            ranked = self.service.rank_query(RankingOptions(query), StageTimings(), state)
            films = self._find_films([item.decode() for item in ranked.candidates.ids[:PAGE].tolist()])
            rows[number, : len(films)] = self.truth.films.add(films)
        pages = Pages(rows, [""] * len(visits))
        return np.asarray(self.truth.find_truth(visits, pages).watched_ms.sum(axis=1) / MINUTE_MS)

    def _find_films(self, ids: list[str]) -> list[Film]:
        items = self.service.engine.fetch(ids, 5.0)
        return [read_film(item) for item in items if item is not None]

"""Recommenders: what fills the pages of simulated viewers, and three policies that need no service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.behaviour import Matrix, Reactions, compute_log_odds
from reelrank.app.simulation.films import Film, Films, Rows, create_generator
from reelrank.app.simulation.viewers import Viewers, Visits

InProcessPolicy = Literal["random", "popular", "oracle"]
POPULAR_NOISE = 0.7
"""Scale of the Gumbel noise on the log of clicks: without it a few films would have all pages. A choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Pages:
    """Pages as they were answered. rows [b, k]: films, -1 for an empty position; a failed page has none.

    request_ids [b]: empty for a failed page. surfaces [b]: what was asked for; none given means home pages.
    """

    rows: Rows
    request_ids: Sequence[str]
    surfaces: Sequence[str] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Feedback:
    """What viewers did with pages. started_ms [b, k]: when each clicked film was started."""

    visits: Visits
    pages: Pages
    reactions: Reactions
    started_ms: NDArray[np.int64]
    duration_ms: Matrix


class Recommender(Protocol):
    """Answers requests for pages, and learns what became of them."""

    def recommend(self, visits: Visits, size: int) -> Pages:
        """Returns a page of at most `size` films for each visit."""
        ...

    def observe(self, feedback: Feedback) -> None:
        """Takes what viewers did. What ends later than the present is not known before."""
        ...

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        """Adds films that come out now."""
        ...

    def advance(self, now_ms: int) -> None:
        """Tells the time up to which everything has happened."""
        ...


class InProcessRecommender:
    """Recommends in process: at random, by clicks so far, or by the truth, which no service knows.

    The last knows the tastes of viewers, but shows again what they watched already.
    """

    def __init__(self, policy: InProcessPolicy, films: Films, viewers: Viewers, seed: int) -> None:
        self._policy = policy
        self._films = films
        self._viewers = viewers
        self._rng = create_generator(seed, "stub", policy)
        self._clicks = np.zeros(len(films))
        self._served = 0

    def recommend(self, visits: Visits, size: int) -> Pages:
        scores = self._score(visits)
        size = min(size, scores.shape[1])
        best = np.argpartition(-scores, size - 1, axis=1)[:, :size]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        first, self._served = self._served, self._served + len(visits)
        return Pages(
            np.take_along_axis(best, order, 1), [f"stub-{n}" for n in range(first, first + len(visits))]
        )

    def observe(self, feedback: Feedback) -> None:
        clicked = feedback.pages.rows[feedback.reactions.is_clicked]
        self._clicks += np.bincount(clicked, minlength=len(self._clicks))

    def publish(self, films: Sequence[Film], at_ms: int) -> None:
        self._films.add(films)
        self._clicks = np.append(self._clicks, np.zeros(len(self._films) - len(self._clicks)))

    def advance(self, now_ms: int) -> None: ...

    def _score(self, visits: Visits) -> Matrix:
        shape = (len(visits), len(self._films))
        if self._policy == "random":
            return self._rng.random(shape)
        if self._policy == "popular":
            return np.log1p(self._clicks) + self._rng.gumbel(0, POPULAR_NOISE, shape)
        rows = np.broadcast_to(np.arange(shape[1]), shape)
        tastes = self._viewers.compute_tastes(visits)
        return compute_log_odds(tastes, self._films, rows, visits.at_ms)

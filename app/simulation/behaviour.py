"""What viewers do with a page, and what they would do on average: the position-based click model.

A viewer examines the page from the top down to some depth, and clicks on an examined film with a probability
that depends on the film, the taste and the time only (Richardson et al. 2007; Craswell et al. 2008). So the
probability of a click is the product of both, which is known here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.app.simulation.films import Factors, Films, Rows
from reelrank.app.simulation.viewers import Stays, Visits
from reelrank.index_mappings.event import DAY_MS, MINUTE_MS

EXAMINATION_DECAY = 0.5
"""Position k, from 0, is examined with probability (k + 1) ** -EXAMINATION_DECAY. A choice."""
BASE, SHARPNESS, MAX_ATTRACTION = -3.9, 4.0, 0.95
"""Log odds of a click on a film of average appeal, and what an affinity of 1 adds: about 4 % at random."""
NOVELTY, NOVELTY_DAYS = 0.8, 4.0
"""What a film that came out just now gains in log odds, and the days in which that fades."""
WATCHED_AGAIN = 0.03
"""How likely a watched film is clicked again, relative to the first time."""
CONCENTRATION = 2.5
"""Of the beta distribution of the watched share: its mode is at the ends, skipped or finished."""
READING_MS = 3_000
"""Time for each examined card."""
OUTCOME_DRAWS = 100
"""Draws of what a page leads to, for what no formula gives; its error is a tenth of that of one page."""

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Reactions:
    """What happened on pages [b, k]. shares: the watched part of each film that was clicked, else 0."""

    is_viewed: NDArray[np.bool_]
    is_clicked: NDArray[np.bool_]
    shares: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is expected of pages [b, k]: probabilities of examination and, if examined, of a click; and the
    mean watched time of a click."""

    examination: Matrix
    attraction: Matrix
    mean_share: Matrix
    duration_ms: Matrix

    @property
    def clicks(self) -> Matrix:
        """Returns the probability of a click [b, k]."""
        return self.examination * self.attraction

    @property
    def watched_ms(self) -> Matrix:
        """Returns the expected watch time [b, k]."""
        return self.clicks * self.mean_share * self.duration_ms


def compute_examination(positions: int) -> Matrix:
    """Returns the probability [positions] that each position is examined."""
    return np.asarray((np.arange(positions) + 1.0) ** -EXAMINATION_DECAY)


def compute_log_odds(tastes: Factors, films: Films, rows: Rows, at_ms: NDArray[np.int64]) -> Matrix:
    """Returns the log odds [b, k] of a click on an examined film at rows [b, k] that is not watched yet."""
    affinity = np.einsum("bd,bkd->bk", tastes, films.factors[rows])
    age_days = np.maximum(at_ms[:, None] - films.published_ms[rows], 0) / DAY_MS
    return np.asarray(
        BASE + SHARPNESS * affinity + films.appeal[rows] + NOVELTY * np.exp(-age_days / NOVELTY_DAYS)
    )


def compute_truth(log_odds: Matrix, films: Films, rows: Rows, is_watched: NDArray[np.bool_]) -> Truth:
    """Returns the truth about pages with films at rows [b, k], -1 for none. log_odds [b, k]."""
    attraction = MAX_ATTRACTION / (1 + np.exp(-log_odds))
    attraction *= np.where(rows < 0, 0.0, np.where(is_watched, WATCHED_AGAIN, 1.0))
    duration_ms = films.duration_ms[rows]
    length = duration_ms / (duration_ms + 100 * MINUTE_MS)  # longer films are watched to a smaller part
    mean_share = (1.15 - 0.6 * length) / (1 + np.exp(-(log_odds - BASE) / 2))
    examination = np.broadcast_to(compute_examination(rows.shape[1]), rows.shape) * (rows >= 0)
    return Truth(examination, attraction, mean_share.clip(0.02, 0.97), duration_ms)


def draw_reactions(truth: Truth, rng: np.random.Generator) -> Reactions:
    """Draws what viewers do. One draw a page is its depth: all cards above an examined one are examined."""
    shape = truth.examination.shape
    is_viewed = rng.random((shape[0], 1)) < truth.examination
    is_clicked = is_viewed & (rng.random(shape) < truth.attraction)
    shares = rng.beta(CONCENTRATION * truth.mean_share, CONCENTRATION * (1 - truth.mean_share))
    return Reactions(is_viewed, is_clicked, shares * is_clicked)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What pages [b] lead to on average, and what they led to, by the rules of attribution: uses are clicks
    that are followed by a watch which begins within the window of the page."""

    expected_uses: Vector
    expected_watched_ms: Vector
    uses: Vector
    watched_ms: Vector


def estimate_outcomes(
    truth: Truth, reactions: Reactions, window_ms: int, rng: np.random.Generator
) -> Outcomes:
    """Returns the outcomes of pages. Films of a page are watched one after another, so one that is clicked
    may begin after the window: its expected value is the mean of OUTCOME_DRAWS draws of the whole page."""
    repeated = Truth(*(np.repeat(getattr(truth, name), OUTCOME_DRAWS, axis=0) for name in truth.__slots__))
    drawn = count_in_time(repeated, draw_reactions(repeated, rng), window_ms)
    means = [values.reshape(-1, OUTCOME_DRAWS).mean(axis=1) for values in drawn]
    return Outcomes(means[0], means[1], *count_in_time(truth, reactions, window_ms))


def count_in_time(truth: Truth, reactions: Reactions, window_ms: int) -> tuple[Vector, Vector]:
    """Returns how many films [b] of pages were started within the window, and how long they were watched."""
    watched_ms = reactions.shares * truth.duration_ms
    is_in_time = reactions.is_clicked & (_compute_delays(reactions, watched_ms) <= window_ms)
    uses = np.asarray(is_in_time.sum(axis=1), np.float64)
    return uses, np.asarray((np.round(watched_ms) * is_in_time).sum(axis=1))


def measure_stays(visits: Visits, reactions: Reactions, truth: Truth) -> tuple[Stays, NDArray[np.int64]]:
    """Returns how the visits ended, and when each film [b, k] was started: they are watched one by one."""
    watched_ms = reactions.shares * truth.duration_ms
    begun_ms = visits.at_ms[:, None] + _compute_delays(reactions, watched_ms)
    ended_ms = begun_ms + watched_ms
    started_ms = np.asarray(np.round(begun_ms), np.int64)
    end_ms = np.asarray(np.ceil(ended_ms.max(axis=1, initial=0)), np.int64)
    return Stays(np.asarray(reactions.is_clicked.any(axis=1)), end_ms), started_ms


def _compute_delays(reactions: Reactions, watched_ms: Matrix) -> Matrix:
    """Returns how long after its page each film [b, k] begins: after reading, and what is watched before."""
    read_ms = READING_MS * np.cumsum(reactions.is_viewed, axis=1)
    return np.asarray(read_ms + np.cumsum(watched_ms, axis=1) - watched_ms)

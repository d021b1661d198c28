"""Ways of exploring a slot: which film of the pool it shows.

Those that draw from posteriors keep the probability floors of the service.
"""

from typing import Protocol

import numpy as np

from benchmarks.exploration.truth import PAGE_SIZE, SLOT, Counts, Log, Matrix, Pool, Rows, ServedPages
from reelrank.ranking.items.popularity.posterior import CTR_PRIOR_CLICKS, CTR_PRIOR_IMPRESSIONS, Gains
from reelrank.ranking.items.popularity.slot_rates import CELLS, fit_slot_rates, locate_cells
from reelrank.ranking.policies.thompson import KEPT_SHARE, UNIFORM_SHARE

EPSILON = 0.1
DEVIATIONS = 1.0
"""Of the posterior, from its mean to the upper confidence bound. A choice."""
FITTED_FROM, FITTED_FILMS = 20, 20
"""Impressions of a film, and films with as many, from which on a prior is fitted."""
MAX_STRENGTH = 1000.0
STATED_PRIOR = CTR_PRIOR_CLICKS, CTR_PRIOR_IMPRESSIONS - CTR_PRIOR_CLICKS


class SlotPolicy(Protocol):
    """Chooses the position in the pool [b] of each page, and takes what was used there."""

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows: ...

    def learn(self, pool: Pool, picked: Rows, page: ServedPages) -> None: ...


class _LogPolicy:
    """A policy that learns from the log only."""

    def learn(self, pool: Pool, picked: Rows, page: ServedPages) -> None: ...


class NoExploration(_LogPolicy):
    """Shows what the ranker put there."""

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows:
        return np.zeros(len(pool.films), np.intp)


class Uniform(_LogPolicy):
    """Shows any film of the pool, each with the same probability."""

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows:
        return rng.integers(0, pool.films.shape[1], len(pool.films))


class EpsilonGreedy(_LogPolicy):
    """Shows any film with probability EPSILON, else the one with the highest rate so far."""

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows:
        alpha, beta = compute_posterior(log)
        best = (alpha / (alpha + beta))[pool.films].argmax(axis=1)
        b, n = pool.films.shape
        return np.where(rng.random(b) < EPSILON, rng.integers(0, n, b), best)


class UpperBound(_LogPolicy):
    """Shows the film whose rate may be the highest (UCB, Auer et al. 2002), by its posterior's deviation."""

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows:
        alpha, beta = compute_posterior(log)
        mean, total = alpha / (alpha + beta), alpha + beta
        bound = mean + DEVIATIONS * np.sqrt(mean * (1 - mean) / (total + 1))
        return np.asarray(bound[pool.films].argmax(axis=1))


class Thompson(_LogPolicy):
    """What the service does without context.

    is_fitted: the prior is fitted from all films. waits: impressions whose uses may come do not count yet.
    """

    def __init__(self, is_fitted: bool = False, waits: bool = False) -> None:
        self.is_fitted, self.waits = is_fitted, waits

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows:
        alpha, beta = compute_posterior(log, self.is_fitted, self.waits)
        return keep_floors(rng.beta(alpha[pool.films], beta[pool.films]).argmax(axis=1), pool, rng)


class ContextualThompson(_LogPolicy):
    """Thompson sampling around what the ranker expects of a film for this viewer.

    The unknown is the film's gain over that expectation: a Gamma variable with mean 1, worth `strength`
    expected uses before the film was shown, updated by the uses of all viewers.
    """

    def __init__(self, strength: float = 3.0) -> None:
        self.strength = strength

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows:
        scale = 1 / (self.strength + log.expected[pool.films])
        gain = rng.gamma(self.strength + log.uses[pool.films], scale)
        return keep_floors((pool.without_appeal * gain).argmax(axis=1), pool, rng)


class ServedContextual:
    """What the service does: rates of slots by rank and age, times the film's gain over what was expected.

    random_share: of the pages, whose picks depend on nothing.
    """

    def __init__(self, random_share: float = 0.02) -> None:
        self.random_share = random_share
        self._slots, self._rates = np.zeros((2, CELLS)), fit_slot_rates(np.zeros(CELLS), np.zeros(CELLS))
        self._positions, self._expected = np.zeros((2, PAGE_SIZE)), np.zeros(0)

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows:
        self._expected = np.pad(self._expected, (0, len(log.uses) - len(self._expected)))
        cells = locate_cells(False, np.arange(pool.films.shape[1]), pool.ages)
        gains = Gains(log.uses[pool.films], self._expected[pool.films])
        posterior = gains.compute_posterior(self._rates.rates[cells], self._rates.variances[cells])
        picks = keep_floors(rng.beta(posterior.alpha, posterior.beta).argmax(axis=1), pool, rng)
        at_random = rng.integers(0, pool.films.shape[1], len(picks))
        return np.where(rng.random(len(picks)) < self.random_share, at_random, picks)

    def learn(self, pool: Pool, picked: Rows, page: ServedPages) -> None:
        cells = locate_cells(False, picked, pool.ages[np.arange(len(picked)), picked])
        shown, used = self._positions
        rates = (used + CTR_PRIOR_CLICKS) / (shown + CTR_PRIOR_IMPRESSIONS)
        expected = np.broadcast_to(rates, page.films.shape).copy()
        expected[:, SLOT] = self._rates.rates[cells]
        self._expected += np.bincount(page.films.ravel(), expected.ravel(), len(self._expected))
        shown += len(picked)
        used += page.is_used.sum(axis=0)
        self._slots += [np.bincount(cells, minlength=CELLS), np.bincount(cells, page.is_used[:, SLOT], CELLS)]
        self._rates = fit_slot_rates(*self._slots)


class LinearThompson:
    """Bayesian linear regression of uses on a few features (Agrawal & Goyal 2013).

    Features are the ranker's expectation, the film's age, its rate so far and how often it was shown.
    """

    FEATURES, NOISE, FADING_DAYS = 5, 0.2, 4.0

    def __init__(self) -> None:
        self._precision, self._moment = np.eye(self.FEATURES), np.zeros(self.FEATURES)
        self._features = np.empty((0, 0, self.FEATURES))

    def choose(self, pool: Pool, log: Log, rng: np.random.Generator) -> Rows:
        self._features = self._describe(pool, log)
        covariance = np.linalg.inv(self._precision)
        mean = covariance @ self._moment
        drawn = rng.multivariate_normal(mean, self.NOISE**2 * covariance, len(pool.films))
        return keep_floors(np.einsum("bkf,bf->bk", self._features, drawn).argmax(axis=1), pool, rng)

    def learn(self, pool: Pool, picked: Rows, page: ServedPages) -> None:
        shown = self._features[np.arange(len(picked)), picked]
        self._precision += shown.T @ shown
        self._moment += shown.T @ page.is_used[:, SLOT].astype(float)

    def _describe(self, pool: Pool, log: Log) -> Matrix:
        alpha, beta = (part[pool.films] for part in compute_posterior(log))
        new = np.exp(-pool.ages / self.FADING_DAYS)
        rate, rare = alpha / (alpha + beta), 1 / np.sqrt(alpha + beta)
        return np.stack([np.ones_like(rate), pool.rates, new, rate, rare], axis=2)


def compute_posterior(log: Log, is_fitted: bool = False, waits: bool = False) -> tuple[Counts, Counts]:
    """Returns alpha and beta [n] of uses an impression, as the service has them."""
    shown = log.impressions
    if waits and log.young:
        shown = np.maximum(shown - np.sum(log.young, axis=0), log.uses)
    alpha, beta = fit_prior(shown, log.uses) if is_fitted else STATED_PRIOR
    return log.uses + alpha, np.maximum(shown - log.uses, 0) + beta


def fit_prior(impressions: Counts, uses: Counts) -> tuple[float, float]:
    """Returns alpha and beta of the rates of films, by moments of those that were shown FITTED_FROM times.

    The variance of observed rates is that of the rates and that of counting (Kleinman 1973).
    """
    is_known = impressions >= FITTED_FROM
    n = impressions[is_known]
    if len(n) < FITTED_FILMS:
        return STATED_PRIOR
    used = np.minimum(uses[is_known], n)
    mean = float(used.sum() / n.sum())
    variance = float(((used / n - mean) ** 2).mean() - (mean * (1 - mean) / n).mean())
    strength = mean * (1 - mean) / max(variance, 1e-9) - 1
    strength = float(np.clip(strength, 1.0, MAX_STRENGTH))
    return mean * strength, (1 - mean) * strength


def keep_floors(best: Rows, pool: Pool, rng: np.random.Generator) -> Rows:
    """Returns the picks [b], a share of them uniform and a share the ranker's own film."""
    b, n = pool.films.shape
    luck = rng.random(b)
    picks = np.where(luck < UNIFORM_SHARE, rng.integers(0, n, b), best)
    return np.where(luck > 1 - KEPT_SHARE, 0, picks)

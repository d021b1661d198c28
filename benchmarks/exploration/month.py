"""A made-up month under one policy, hour by hour, vectorised over the pages of an hour; no service runs.

The ranker knows tastes. Of a film it knows the genre, and its own factors once it was used often; how much it
appeals to everybody it learns overnight from uses, corrected for positions. A film without uses ranks low, as
it does with a model that learned from popularity.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.exploration.policies import SlotPolicy
from benchmarks.exploration.truth import (
    EXAMINATION,
    PAGE_SIZE,
    POOL,
    SLOT,
    Counts,
    Log,
    Matrix,
    MonthTruth,
    Pool,
    Rows,
    ServedPages,
    to_probability,
)

BLUR = 0.3
"""Standard deviation of what the ranker sees around its log odds."""
USES_TO_LEARN = 20
"""Uses from which on the ranker knows a film's own factors. A choice."""
PRIOR_USES, COLD_PENALTY = 5.0, 1.0
"""Expected uses at which the ranker believes half of what it observed of a film; and what it takes off the
log odds of one without uses, which fades at the same pace. Choices."""
REACHED = 100
"""Impressions after which a new film counts as known."""


@dataclass(frozen=True, slots=True, eq=False)
class Month:
    """Of the days after the warm ones. lost: uses of a page by which a ranker who knows everything is better.
    cost: uses of a slot by which the ranker's own film would have been better. shown [days, films]:
    impressions. days_to_reach [films]: until REACHED impressions; inf for never."""

    lost: float
    cost: float
    shown: Counts
    days_to_reach: Counts


@dataclass(slots=True, eq=False)
class _Ranker:
    """What the ranker has learned by last night."""

    factors: Matrix
    appeal: Counts

    def learn(self, truth: MonthTruth, log: Log) -> None:
        belief = PRIOR_USES / (log.uses + PRIOR_USES)
        self.appeal = np.log((log.uses + PRIOR_USES) / (log.expected + PRIOR_USES)) - COLD_PENALTY * belief
        self.factors = np.where(log.uses[:, None] >= USES_TO_LEARN, truth.factors, truth.stated)


def simulate_month(truth: MonthTruth, policy: SlotPolicy) -> Month:
    """Serves all hours. The visitors of an hour are the same for every policy."""
    options, log = truth.options, Log.create(truth.options.films)
    ranker = _Ranker(truth.stated, np.zeros(options.films))
    shown, reached = np.zeros((options.days, options.films)), np.full(options.films, np.inf)
    measured = list[tuple[float, float]]()
    for hour in range(24 * options.days):
        if hour % 24 == 0:
            ranker.learn(truth, log)
        films, lost, cost = _serve_hour(truth, ranker, policy, log, hour)
        shown[hour // 24] += np.bincount(films.ravel(), minlength=options.films)
        now = (log.impressions >= REACHED) & np.isinf(reached)
        reached[now] = (hour + 1) / 24 - truth.published[now]
        if hour >= 24 * options.warm_days:
            measured.append((lost, cost))
    lost, cost = np.mean(measured, axis=0).tolist()
    return Month(lost, cost, shown[options.warm_days :], reached)


def _serve_hour(
    truth: MonthTruth, ranker: _Ranker, policy: SlotPolicy, log: Log, hour: int
) -> tuple[Rows, float, float]:
    """Returns the pages of an hour, and the mean uses that were lost on a page and in its slot."""
    options, day, rng = truth.options, hour / 24, np.random.default_rng([truth.options.seed, 1, hour])
    n, viewers = truth.count_published(day), rng.integers(0, options.viewers, options.pages)
    wanted = to_probability(truth.compute_log_odds(viewers, truth.factors[:n], day) + truth.appeal[:n])
    known = truth.compute_log_odds(viewers, ranker.factors[:n], day)
    known += BLUR * rng.standard_normal(known.shape, np.float32)
    best = _rank(known + ranker.appeal[:n])
    pool = _open_slot(truth, ranker, best[:, SLOT:], known, day)
    picked = policy.choose(pool, log, rng)
    films = _fill_page(best, picked)
    expected = np.take_along_axis(wanted, films, axis=1) * EXAMINATION
    is_used = rng.random(films.shape) < expected
    policy.learn(pool, picked, ServedPages(films, is_used))
    log.add_hour(films, to_probability(np.take_along_axis(known, films, axis=1)) * EXAMINATION, is_used, rng)
    lost = _find_highest(wanted) @ EXAMINATION - expected.sum(axis=1)
    kept = np.take_along_axis(wanted, best[:, [SLOT]], axis=1)[:, 0] * EXAMINATION[SLOT]
    return films, float(lost.mean()), float((kept - expected[:, SLOT]).mean())


def _rank(scores: Matrix) -> Rows:
    """Returns the best SLOT + POOL films [b, SLOT + POOL] of each page, best first."""
    size = SLOT + POOL
    best = np.argpartition(-scores, size, axis=1)[:, :size]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    return np.asarray(np.take_along_axis(best, order, axis=1))


def _find_highest(wanted: Matrix) -> Matrix:
    """Returns the highest values [b, PAGE_SIZE] of each page, best first."""
    best = np.partition(wanted, -PAGE_SIZE, axis=1)[:, -PAGE_SIZE:]
    return np.asarray(-np.sort(-best, axis=1))


def _open_slot(truth: MonthTruth, ranker: _Ranker, films: Rows, known: Matrix, day: float) -> Pool:
    without = np.take_along_axis(known, films, axis=1)
    rates, base = to_probability(without + ranker.appeal[films]), to_probability(without)
    ages = day - truth.published[films]
    return Pool(films, rates * EXAMINATION[SLOT], base * EXAMINATION[SLOT], ages)


def _fill_page(best: Rows, picked: Rows) -> Rows:
    """Returns pages [b, PAGE_SIZE]: the pick moves up to the slot, all others keep their order."""
    films, place = best[:, SLOT:], np.arange(POOL)[None, :]
    order = np.argsort(np.where(place == picked[:, None], -1, place), axis=1, kind="stable")
    moved = np.take_along_axis(films, order, axis=1)
    return np.asarray(np.concatenate([best[:, :SLOT], moved], axis=1)[:, :PAGE_SIZE])

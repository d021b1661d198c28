"""Error rates of experiments without an effect, wrong splits, and how much CUPED narrows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from benchmarks.experiments.population import Population
from reelrank.ranking.experiments.measurement.effects import estimate_effect_of
from reelrank.ranking.experiments.measurement.outcomes import Values, ViewerTotals
from reelrank.ranking.experiments.measurement.sample_ratio import check_sample_ratio

METRICS = ("ctr", "watch_s_per_impression", "watch_s_per_viewer")
LEVEL = 0.05
QUIET_RATE, FOUND_RATE = 0.002, 0.99
SPLIT_VIEWERS, WRONG_SHARE = 100_000, 0.49
NARROWED_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened. is_met: by the exact 99 % interval of the count."""

    what: str
    count: int
    runs: int
    aim: str
    is_met: bool

    def describe(self) -> tuple[str, ...]:
        low, high = bound_rate(self.count, self.runs)
        share = f"{self.count / self.runs:.1%} ({low:.1%} to {high:.1%})"
        return (
            self.what,
            f"{self.count:,} of {self.runs:,}",
            share,
            self.aim,
            "yes" if self.is_met else "NO",
        )


def bound_rate(count: int, runs: int) -> tuple[float, float]:
    interval = binomtest(count, runs).proportion_ci(0.99, "exact")
    return float(interval.low), float(interval.high)


def count_false_alarms(population: Population, runs: int, viewers: int, days: int) -> list[Rate]:
    """Counts A/A experiments that are called different: at the end, at any look, and by peeking."""
    counts = {name: np.zeros(3, int) for name in METRICS}
    for seed in range(runs):
        looks = population.draw_looks(viewers, days, np.random.default_rng(seed))
        for name in METRICS:
            counts[name] += _judge(looks, name)
    rates = list[Rate]()
    for name, (fixed, anytime, peeked) in counts.items():
        low, high = bound_rate(int(fixed), runs)
        rates.append(Rate(f"{name}: p < 0.05 at the end", int(fixed), runs, "5 %", low <= LEVEL <= high))
        low, _ = bound_rate(int(anytime), runs)
        rates.append(
            Rate(f"{name}: interval for any look, daily", int(anytime), runs, "at most 5 %", low <= LEVEL)
        )
        rates.append(Rate(f"{name}: p < 0.05 on any day (peeking)", int(peeked), runs, "the trap", True))
    return rates


def _judge(looks: Sequence[ViewerTotals], name: str) -> NDArray[np.int_]:
    """Returns whether p < 0.05 at the end, the interval for any look left 0 on a day, and p did on a day."""
    effects = [effect for totals in looks if (effect := estimate_effect_of(name, totals, 1))]
    if not effects:
        return np.zeros(3, int)
    anytime = any(effect.any_low > 0 or effect.any_high < 0 for effect in effects)
    peeked = any(effect.p_value < LEVEL for effect in effects)
    return np.array([effects[-1].p_value < LEVEL, anytime, peeked], int)


def count_mismatches(runs: int) -> list[Rate]:
    """Counts alarms of the sample-ratio test: on splits that are right, and on 49/51."""
    rng = np.random.default_rng(0)
    found = []
    for share in (0.5, WRONG_SHARE):
        first = rng.binomial(SPLIT_VIEWERS, share, runs).tolist()
        alarms = [check_sample_ratio((n, SPLIT_VIEWERS - n), (0.5, 0.5)).is_mismatch for n in first]
        found.append(sum(alarms))
    quiet, wrong = found
    is_quiet = bound_rate(quiet, runs)[0] <= QUIET_RATE
    return [
        Rate("split 50/50 called wrong", quiet, runs, "at most 0.2 %", is_quiet),
        Rate("split 49/51 found", wrong, runs, "at least 99 %", bound_rate(wrong, runs)[1] >= FOUND_RATE),
    ]


def measure_narrowing(population: Population, viewers: int, days: int) -> Iterator[tuple[str, ...]]:
    """Yields for each measure how much CUPED narrows, beside sqrt(1 - rho^2) of the linearised values."""
    totals = population.draw_looks(viewers, days, np.random.default_rng(0))[-1]
    for name, numerator, denominator in (
        ("ctr", "used", "seen"),
        ("watch_s_per_impression", "watched_s", "seen"),
        ("watch_s_per_viewer", "watched_s", "viewers"),
    ):
        effect = estimate_effect_of(name, totals, 1)
        if effect is None:
            continue
        now, before = (
            _linearise(columns[numerator], columns[denominator]) for columns in (totals.columns, totals.past)
        )
        rho = float(np.corrcoef(now, before)[0, 1])
        expected = float(np.sqrt(1 - rho**2))
        is_met = abs(effect.narrowed / expected - 1) <= NARROWED_TOLERANCE
        yield name, f"{rho:.2f}", f"{expected:.3f}", f"{effect.narrowed:.3f}", "yes" if is_met else "NO"


def _linearise(numerator: Values, denominator: Values) -> Values:
    return np.asarray(numerator - numerator.sum() / denominator.sum() * denominator)

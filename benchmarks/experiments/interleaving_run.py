"""`python -m benchmarks interleaving`: how many pages interleaving needs, against viewers with one arm each.

Made-up rankings with known effects (`duels.py`); no service runs. For each effect: the pages that find it
with a power of 90 % at a level of 5 % both ways, their ratio with an interval, and how often so many pages
name the right winner in simulated runs. Then how often equals are called different.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.experiments.duels import Duel, DuelTotals, simulate_duel, tune_duel
from benchmarks.experiments.rates import LEVEL, Rate, bound_rate
from benchmarks.markdown import format_table
from reelrank.ranking.experiments.measurement.effects import Spread, compare_spreads
from reelrank.ranking.experiments.measurement.interleaving import estimate_preference

LIFTS = (0.02, 0.05)
SIMILARITY = {"often differ": 0.5, "are much alike": 0.25}
"""How much of the noise each ranker has alone: rankings that differ little show more of what differs."""
POWER, LEAST_RATIO = 0.9, 20.0
VIEWERS, SMALL_VIEWERS = 200_000, 6_000
RUNS, SMALL_RUNS, EQUAL_RUNS, SMALL_EQUAL_RUNS = 400, 20, 1000, 40
EQUAL_VIEWERS = 200
RESAMPLES = 400
FACTOR = float(norm.ppf(1 - LEVEL / 2) + norm.ppf(POWER)) ** 2
"""Of the variance by the squared effect: how many viewers find it."""
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Needed:
    """Pages that find the effect: with one arm a viewer, and interleaved."""

    split: float
    interleaved: float

    @property
    def ratio(self) -> float:
        return self.split / self.interleaved


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks interleaving", description=__doc__)
    parser.add_argument("--small", action="store_true", help="few runs, in seconds")
    small = parser.parse_args(argv).small
    viewers, runs = (SMALL_VIEWERS, SMALL_RUNS) if small else (VIEWERS, RUNS)
    rows, rates = [], list[Rate]()
    for label, noise in SIMILARITY.items():
        for lift in LIFTS:
            row, found = measure_duel(label, tune_duel(noise, lift), viewers, runs)
            rows.append(row)
            rates += found
    rates.append(count_equal_alarms(SMALL_EQUAL_RUNS if small else EQUAL_RUNS))
    head = ("rankings", "true lift", "preference", "pages, one arm a viewer", "pages, interleaved")
    print(format_table((*head, "ratio (95 % interval)", "at least 20"), rows), flush=True)
    print(
        format_table(("what", "count", "rate (99 % interval)", "aim", "met"), [r.describe() for r in rates])
    )
    return int(any("NO" in row for row in rows) or not all(rate.is_met for rate in rates))


def measure_duel(label: str, duel: Duel, viewers: int, runs: int) -> tuple[tuple[str, ...], list[Rate]]:
    """Returns the row of one effect, and the rates of right winners with so many pages."""
    totals = simulate_duel(duel, viewers, seed=1)
    clicks = np.random.default_rng(2).poisson(totals.expected).astype(float)
    needed = compute_needed(totals, clicks, np.ones(viewers))
    low, high = bound_ratio(totals, clicks)
    preference = estimate_preference(totals.used, viewers)
    share = "?" if preference is None else f"{preference.value:.1%}"
    row = (
        label, f"{totals.lift:.1%}", share, f"{needed.split:,.0f}", f"{needed.interleaved:,.0f}",
        f"{needed.ratio:.0f} ({low:.0f} to {high:.0f})", "yes" if low >= LEAST_RATIO else "NO",
    )  # fmt: skip
    pages = float(totals.pages.mean())
    name = f"{label}, {totals.lift:.1%}"
    split = count_split_winners(totals, round(needed.split / pages), runs)
    drafted = count_interleaved_winners(duel, round(needed.interleaved / pages), runs)
    return row, [
        *_rate(f"{name}, one arm a viewer", split, runs),
        *_rate(f"{name}, interleaved", drafted, runs),
    ]


def _rate(name: str, found: NDArray[np.int_], runs: int) -> Iterator[Rate]:
    """Yields how often the right and the wrong winner was named. found [runs]: 1, -1, or 0 for none."""
    right, wrong = int((found > 0).sum()), int((found < 0).sum())
    _, high = bound_rate(right, runs)
    yield Rate(f"{name}: right winner", right, runs, f"{POWER:.0%}", high >= POWER)
    low, _ = bound_rate(wrong, runs)
    yield Rate(f"{name}: wrong winner", wrong, runs, "at most 0.1 %", low <= 0.001)


def compute_needed(totals: DuelTotals, clicks: Values, weights: Values) -> Needed:
    """Returns pages for POWER. clicks [n, 2]: of each viewer, had all pages been of one ranker."""
    pages = float(weights @ totals.pages / weights.sum())
    rates, variances = zip(*(_linearise(column, totals.pages, weights) for column in clicks.T), strict=True)
    gain = (weights @ totals.expected[:, 1]) / (weights @ totals.expected[:, 0]) - 1
    split = 2 * FACTOR * sum(variances) / (gain * rates[0]) ** 2 * pages
    share, variance = _linearise(totals.used[:, 1], totals.used.sum(axis=1), weights)
    return Needed(split, FACTOR * variance / (share - 0.5) ** 2 * pages)


def _linearise(numerator: Values, denominator: Values, weights: Values) -> tuple[float, float]:
    """Returns a ratio of totals, and the variance of one viewer's part of it."""
    ratio = float(weights @ numerator / (weights @ denominator))
    z = (numerator - ratio * denominator) * weights.sum() / (weights @ denominator)
    return ratio, float(weights @ z**2 / weights.sum())


def bound_ratio(totals: DuelTotals, clicks: Values) -> tuple[float, float]:
    """Returns the 95 % interval of the ratio of pages, by bootstrap over viewers."""
    rng, n = np.random.default_rng(3), len(totals.pages)
    ratios = [
        compute_needed(totals, clicks, np.bincount(rng.integers(0, n, n), minlength=n).astype(float)).ratio
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def count_split_winners(totals: DuelTotals, viewers: int, runs: int) -> NDArray[np.int_]:
    """Returns the winner of each experiment with one arm a viewer, as +1, -1 or 0.

    Viewers are drawn from those simulated; clicks are Poisson with the expectation of their pages.
    """
    found, n = np.zeros(runs, int), len(totals.pages)
    for run in range(runs):
        rng = np.random.default_rng([4, run])
        spreads = []
        for arm in (0, 1):
            drawn = rng.integers(0, n, viewers // 2)
            clicks = rng.poisson(totals.expected[drawn, arm]).astype(float)
            ratio, variance = _linearise(clicks, totals.pages[drawn], np.ones(len(drawn)))
            spreads.append(Spread(ratio, variance / len(drawn), len(drawn)))
        effect = compare_spreads(spreads[0], spreads[1], viewers)
        found[run] = np.sign(effect.difference) * (effect.p_value < LEVEL)
    return found


def count_interleaved_winners(duel: Duel, viewers: int, runs: int) -> NDArray[np.int_]:
    """Returns the winner of each interleaved experiment, as +1, -1 or 0, by the estimate of the report."""
    found = np.zeros(runs, int)
    for run in range(runs):
        preference = estimate_preference(simulate_duel(duel, viewers, seed=1000 + run).used, viewers)
        if preference is not None and preference.p_value < LEVEL:
            found[run] = np.sign(preference.value - 0.5)
    return found


def count_equal_alarms(runs: int) -> Rate:
    """Counts interleaved experiments of two equal rankers that find a preference."""
    found = count_interleaved_winners(Duel(SIMILARITY["often differ"]), EQUAL_VIEWERS, runs)
    alarms = int((found != 0).sum())
    low, high = bound_rate(alarms, runs)
    return Rate("equals: a preference (p < 0.05)", alarms, runs, f"{LEVEL:.0%}", low <= LEVEL <= high)

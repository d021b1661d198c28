"""`python -m benchmarks exploration`: what ways of exploring one slot cost and earn, in made-up months.

Each seed is a month of its own, the same for every policy. Intervals are over seeds; differences are paired.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from benchmarks.exploration.month import Month, simulate_month
from benchmarks.exploration.policies import (
    ContextualThompson,
    EpsilonGreedy,
    LinearThompson,
    NoExploration,
    ServedContextual,
    SlotPolicy,
    Thompson,
    Uniform,
    UpperBound,
)
from benchmarks.exploration.truth import MonthOptions, MonthTruth
from benchmarks.markdown import format_table
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.plots import write_measures_plot

SERVING = "contextual, as served"
POLICIES: Mapping[str, Callable[[], SlotPolicy]] = {
    SERVING: ServedContextual,
    "Thompson, uses alone": Thompson,
    "no exploration": NoExploration,
    "random": Uniform,
    "epsilon-greedy": EpsilonGreedy,
    "UCB": UpperBound,
    "Thompson, fitted prior": lambda: Thompson(is_fitted=True),
    "Thompson, waits for late uses": lambda: Thompson(waits=True),
    "Thompson around the ranker": ContextualThompson,
    "linear regression": LinearThompson,
}
"""The first is what the others are compared with."""
SEEDS, SMALL_SEEDS = 16, 3
SMALL = {"days": 14, "warm_days": 4}
RESULTS = Path(__file__).parents[1] / "results" / "exploration"
NEW_DAYS, LAST_DAYS, REACH_DAYS = 7, 7, 10
"""A film is new for so many days; coverage and Gini are of the last ones; a film that is not known after
REACH_DAYS counts as known then."""
COVERED = 10
"""Impressions in the last days from which on a film is covered."""
MEASURES = {
    "lost uses": "lost uses in 1,000 pages",
    "cost": "cost of the slot, uses in 1,000 pages",
    "days to 100": "days of a new film to 100 impressions",
    "new": "share of impressions that are of new films",
    "coverage": "share of films with 10 impressions in a week",
    "gini": "Gini of impressions in a week",
}
Values = NDArray[np.float64]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks exploration", description=__doc__)
    parser.add_argument("--small", action="store_true", help="few short months; writes no plot")
    parser.add_argument("--seeds", type=int, default=0, help="months")
    options = parser.parse_args(argv)
    seeds = options.seeds or (SMALL_SEEDS if options.small else SEEDS)
    measured = {name: list[list[float]]() for name in POLICIES}
    for seed in range(seeds):
        truth = MonthTruth(MonthOptions(seed, **(SMALL if options.small else {})))
        for name, create in POLICIES.items():
            measured[name].append(list(measure_month(truth, simulate_month(truth, create())).values()))
    values = {name: np.array(rows) for name, rows in measured.items()}
    print(f"{seeds} months; mean and 95 % interval over months")
    print(format_table(("policy", *MEASURES.values()), [describe(name, values[name]) for name in values]))
    print(f"difference to {SERVING}")
    others = [describe(name, values[name] - values[SERVING]) for name in values if name != SERVING]
    print(format_table(("policy", *MEASURES.values()), others))
    if not options.small:
        rows = {
            name: {MEASURES[m]: bound_mean(column) for m, column in zip(MEASURES, table.T, strict=True)}
            for name, table in values.items()
        }
        write_measures_plot(rows, "Ways of exploring one slot, mean and 95 % interval over months", RESULTS)
    return 0


def measure_month(truth: MonthTruth, month: Month) -> dict[str, float]:
    """Returns the values of MEASURES, in their order."""
    options, published = truth.options, truth.published
    days = np.arange(options.warm_days, options.days)[:, None]
    is_new = (days >= published) & (days < published + NEW_DAYS)
    judged = (published >= options.warm_days) & (published <= options.days - REACH_DAYS)
    last = month.shown[-LAST_DAYS:].sum(axis=0)[published <= options.days - LAST_DAYS]
    return {
        "lost uses": 1000 * month.lost,
        "cost": 1000 * month.cost,
        "days to 100": float(np.minimum(month.days_to_reach[judged], REACH_DAYS).mean()),
        "new": float(month.shown[is_new].sum() / month.shown.sum()),
        "coverage": float((last >= COVERED).mean()),
        "gini": compute_gini(last),
    }


def compute_gini(values: Values) -> float:
    """Returns 0 when all have the same, and nearly 1 when one has everything."""
    ordered, n = np.sort(values), len(values)
    return float(2 * (np.arange(1, n + 1) @ ordered) / (n * ordered.sum()) - (n + 1) / n)


def bound_mean(values: Values) -> Interval:
    """Returns the mean of independent runs with its 95 % interval (Student's t); infinite for one run."""
    n, mean = len(values), float(values.mean())
    half = float(student.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else np.inf
    return Interval(mean, mean - half, mean + half)


def describe(name: str, table: Values) -> tuple[str, ...]:
    intervals = [bound_mean(column) for column in table.T]
    return (name, *(f"{one.mean:.3g} ({one.low:.3g} to {one.high:.3g})" for one in intervals))

"""`python -m benchmarks off-policy`: how often the 95 % intervals of off-policy estimates cover the truth.

Slots are filled by Thompson sampling with the propensities of the service (`compute_propensities`): for
independent viewers; for 40 pages a viewer who sees one draw on all of them; by posteriors that learn from the
log; and where 30 % of the uses have not arrived, with and without pages younger than the attribution window.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.experiments.open_bandit import run_open_bandit
from benchmarks.experiments.rates import bound_rate
from benchmarks.markdown import format_table
from reelrank.ranking.evaluation.counterfactual.estimators import METHODS, estimate
from reelrank.ranking.evaluation.counterfactual.logged_actions import LoggedActions
from reelrank.ranking.evaluation.counterfactual.support import check_support
from reelrank.ranking.items.popularity.posterior import Posterior
from reelrank.ranking.policies.thompson import compute_propensities

RUNS, SMALL_RUNS = 500, 60
VIEWERS, ITEMS, KINDS, BATCHES = 4000, 10, 4, 8
LATE_SHARE, WINDOW_SHARE = 0.3, 0.3
COVERED = 0.95
UNBOUNDED = "switch-dr"
"""Its interval has no part for the error of its model, so it need not cover."""
Floats = NDArray[np.float64]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks off-policy", description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"{SMALL_RUNS} runs")
    parser.add_argument("--open-bandit", action="store_true", help="only estimate from two real logs")
    options = parser.parse_args(argv)
    if options.open_bandit:
        return run_open_bandit()
    runs = SMALL_RUNS if options.small else RUNS
    rows, is_met = [], True
    for name, build in LOGS.items():
        counts, used = count_covered(build, runs)
        for method, count in counts.items():
            low, high = bound_rate(count, used)
            is_right = low <= COVERED <= high
            is_met &= is_right or name == YOUNG or method == UNBOUNDED
            share = f"{count / used:.1%} ({low:.1%} to {high:.1%})"
            rows.append((name, method, f"{runs - used}", share, "yes" if is_right else "NO"))
    print(f"{runs:,} logs of {VIEWERS:,} viewers each (1,000 with 40 pages); intervals of 95 %")
    print(format_table(("log", "method", "refused", "covers the truth (99 % interval)", "as stated"), rows))
    return int(not is_met)


def count_covered(build: "LogBuilder", runs: int) -> tuple[Mapping[str, int], int]:
    """Counts the intervals of each method that hold what the target earns, and logs that are not refused."""
    counts, used = dict.fromkeys((name for name in METHODS if name not in ("logged", "replay")), 0), 0
    for seed in range(runs):
        log, truth = build(np.random.default_rng(seed))
        if check_support(log).refusal:
            continue
        used += 1
        for name in counts:
            found = estimate(name, log)
            counts[name] += found is not None and found.low <= truth <= found.high
    return counts, used


LogBuilder = Callable[[np.random.Generator], tuple[LoggedActions, float]]


def build_independent(rng: np.random.Generator) -> tuple[LoggedActions, float]:
    return _build(rng, pages_each=1)


def build_clustered(rng: np.random.Generator) -> tuple[LoggedActions, float]:
    return _build(rng, pages_each=40)


def build_adaptive(rng: np.random.Generator) -> tuple[LoggedActions, float]:
    return _build(rng, pages_each=1, batches=BATCHES)


def build_late(rng: np.random.Generator) -> tuple[LoggedActions, float]:
    """Leaves out the pages whose uses may still come."""
    log, truth, is_young = _build_with_late(rng)
    return log.select(~is_young), truth


def build_young(rng: np.random.Generator) -> tuple[LoggedActions, float]:
    log, truth, _ = _build_with_late(rng)
    return log, truth


def _build_with_late(rng: np.random.Generator) -> tuple[LoggedActions, float, NDArray[np.bool_]]:
    """Of the newest pages, uses have not arrived yet; all of the missing uses are theirs."""
    log, truth = _build(rng, pages_each=1)
    is_young = np.arange(len(log)) >= (1 - WINDOW_SHARE) * len(log)
    arrived = log.reward * ~(is_young & (rng.random(len(log)) < LATE_SHARE / WINDOW_SHARE))
    names = ("viewers", "propensity", "position", "target", "predicted", "expected")
    parts = {name: getattr(log, name) for name in names}
    return LoggedActions(**parts, reward=arrived), truth, is_young


YOUNG = "30 % of uses late, young pages kept (the trap)"
LOGS: Mapping[str, LogBuilder] = {
    "independent viewers": build_independent,
    "40 pages a viewer, one draw": build_clustered,
    "posteriors that learn": build_adaptive,
    "30 % of uses late, young pages left out": build_late,
    YOUNG: build_young,
}


def _build(rng: np.random.Generator, pages_each: int, batches: int = 1) -> tuple[LoggedActions, float]:
    """Logs decisions of viewers, who are of KINDS with rates of their own, and returns what the target earns.

    The target shows each kind its best item but one. The model of rewards knows the rates up to noise.
    """
    rates = rng.beta(2.0, 18.0, (KINDS, ITEMS))
    model = np.clip(rates * rng.lognormal(0, 0.3, rates.shape), 0, 1)
    best = np.argsort(-rates, axis=1)[:, 1]
    viewers = VIEWERS if pages_each == 1 else VIEWERS // 4
    kinds, habits = rng.integers(0, KINDS, viewers), rng.gamma(4.0, 0.25, viewers)
    shown, propensity = np.empty(viewers, np.intp), np.empty(viewers)
    alpha, beta = np.full((KINDS, ITEMS), 1.0), np.full((KINDS, ITEMS), 19.0)
    for part in np.array_split(np.arange(viewers), batches):
        for kind in range(KINDS):
            rows = part[kinds[part] == kind]
            p = compute_propensities(Posterior(alpha[kind], beta[kind]))
            p = p / p.sum()
            shown[rows] = rng.choice(ITEMS, len(rows), p=p)
            propensity[rows] = p[shown[rows]]
            used = rng.random(len(rows)) < np.minimum(rates[kind, shown[rows]] * habits[rows], 1)
            np.add.at(alpha[kind], shown[rows], used.astype(float) * (batches > 1))
            np.add.at(beta[kind], shown[rows], (~used).astype(float) * (batches > 1))
    row = np.repeat(np.arange(viewers), pages_each)
    chance = np.minimum(rates[kinds[row], shown[row]] * habits[row], 1)
    reward = (rng.random(len(row)) < chance).astype(np.float64)
    truth = float(np.mean([rates[kind, best[kind]] for kind in range(KINDS)]))
    target = (shown[row] == best[kinds[row]]).astype(np.float64)
    log = LoggedActions(
        row.astype(str), propensity[row], reward, np.full(len(row), 10), target,
        model[kinds[row], shown[row]], model[kinds[row], best[kinds[row]]],
    )  # fmt: skip
    return log, truth

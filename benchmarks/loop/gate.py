"""`python -m benchmarks gate`: bad releases are refused, and retraining with another seed mostly is not.

A made-up history stands for the log: the checks are those of `reelrank loop`, the data is not.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from benchmarks.experiments.rates import bound_rate
from benchmarks.loop.made_up_history import NAMES, USEFUL, USELESS, MadeUpHistory, make_history, train
from benchmarks.markdown import format_table
from reelrank.app.loop.faults import Fault, age_vectors, leak, spoil_rows
from reelrank.ranking.drift.histograms import Profile
from reelrank.ranking.gate.limits import GateLimits
from reelrank.ranking.gate.order_checks import (
    check_calibration,
    check_data,
    check_features,
    check_leak,
    check_order,
    check_sample,
)
from reelrank.ranking.gate.release_checks import check_latency, check_vectors
from reelrank.ranking.gate.requests import GateRequests
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.registry.decisions import Check, find_failed

SEEDS, RETRAININGS = 20, 200
SMALL_SEEDS, SMALL_RETRAININGS = 5, 5
TARGET_RATE = 0.05
"""Retraining on the same data is refused at this rate or below: more would stop the loop from learning."""
SIZES = tuple((requests, margin) for requests in (200, 400, 800, 1600) for margin in (0.02, 0.04))
"""Requests to judge on, and margins: what a small service can tell."""
Pair = tuple[LambdaRank, Profile]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks gate", description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"{SMALL_SEEDS} seeds")
    parser.add_argument("--seeds", type=int, default=0, help=f"seeds of each fault, by default {SEEDS}")
    parser.add_argument("--retrainings", type=int, default=0, help=f"by default {RETRAININGS}")
    options = parser.parse_args(argv)
    seeds = options.seeds or (SMALL_SEEDS if options.small else SEEDS)
    retrainings = options.retrainings or (SMALL_RETRAININGS if options.small else RETRAININGS)
    missed = report_faults(seeds)
    return int(missed > 0 or not report_retrainings(retrainings))


def report_faults(seeds: int) -> int:
    """Prints how often each fault is refused and by which checks; returns how often one was not."""
    rows, missed = [], 0
    for fault in Fault:
        named: dict[str, int] = {}
        refused = 0
        for seed in range(seeds):
            failed = find_failed(judge_fault(fault, seed))
            refused += bool(failed)
            for check in failed:
                named[check.name] = named.get(check.name, 0) + 1
        missed += seeds - refused
        by = ", ".join(f"{name} ({count})" for name, count in sorted(named.items()))
        rows.append((str(fault), f"{refused} of {seeds}", by))
    print(format_table(("bad release", "refused", "by"), rows), flush=True)
    return missed


def report_retrainings(count: int) -> bool:
    """Prints how often retraining with another seed is refused; returns whether the rate may be 5 %."""
    history = make_history(0)
    serving = train(history.rows, "serving")
    refused, by_size = 0, dict.fromkeys(SIZES, 0)
    for seed in range(1, count + 1):
        candidate = train(history.rows, "candidate", seed)
        refused += bool(find_failed(judge(history.newest, candidate, serving)))
        for requests, margin in SIZES:
            part, limits = take_first(history.newest, requests), GateLimits(margin=margin)
            by_size[requests, margin] += not check_order(part, candidate[0], serving[0], limits, seed).passed
    rows = [(f"{requests:,}", f"{margin:g}", f"{n} of {count}") for (requests, margin), n in by_size.items()]
    print(format_table(("judged on requests", "margin", "retrained, refused by order"), rows), flush=True)
    low, high = bound_rate(refused, count)
    print(
        f"retrained with another seed: refused {refused} of {count} "
        f"({refused / count:.1%}, 99 % interval {low:.1%} to {high:.1%})"
    )
    return low <= TARGET_RATE


def take_first(requests: GateRequests, count: int) -> GateRequests:
    """Returns the first requests that led to a play."""
    answered = requests.select_answered()
    groups, rows = answered.groups[:count], int(answered.groups[:count].sum())
    return GateRequests(
        answered.names, answered.features[:rows], answered.gains[:rows], groups, answered.viewers[:count]
    )


def judge_fault(
    fault: Fault, seed: int, history: MadeUpHistory | None = None, serving: Pair | None = None
) -> list[Check]:
    """Trains a serving release and one with a fault, and returns the checks of the gate."""
    history, rng = history or make_history(seed), np.random.default_rng([seed, 1])
    serving = serving or train(history.rows, "serving")
    column = USELESS if fault is Fault.LEAKED_FEATURE else USEFUL
    spoiled = spoil_rows(history.rows, fault, column, rng)
    candidate = serving if spoiled is history.rows else train(spoiled, "candidate")
    return judge(log_requests(history, fault, rng), candidate, serving, fault, seed)


def log_requests(history: MadeUpHistory, fault: Fault, rng: np.random.Generator) -> GateRequests:
    """Returns the newest requests; a leak that learning has is in the log, too, the hardest kind to find."""
    newest = history.newest
    if fault is not Fault.LEAKED_FEATURE:
        return newest
    leaked = leak(newest.features, newest.gains, USELESS, rng)
    return GateRequests(NAMES, leaked, newest.gains, newest.groups, newest.viewers)


def judge(
    requests: GateRequests, candidate: Pair, serving: Pair, fault: Fault | None = None, seed: int = 0
) -> list[Check]:
    """Returns the checks of the gate that need no index and no service."""
    (ranker, profile), (old, old_profile), limits = candidate, serving, GateLimits()
    answered, rng = requests.select_answered(), np.random.default_rng([seed, 2])
    vectors = {f"item-{n}": rng.normal(size=32) for n in range(64)}
    indexed = age_vectors(vectors, rng) if fault is Fault.STALE_VECTORS else vectors
    return [
        check_data(profile, old_profile, limits),
        check_sample(answered, limits),
        check_order(answered, ranker, old, limits, seed),
        check_calibration(requests, ranker, limits, seed),
        check_features(profile, requests, limits, NAMES),
        check_leak(answered, dict(profile.gains), dict(old_profile.gains), limits),
        check_vectors(vectors, indexed, limits),
        check_latency(ranker, requests.features, limits),
    ]

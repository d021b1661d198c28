"""The report of an experiment: the split, the effect on each measure, segments, days, and a verdict."""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from reelrank.ranking.experiments.measurement.effects import MIN_VIEWERS


class Verdict(StrEnum):
    """MIS_SPLIT: nothing can be believed. HARMFUL: the measure that decides or a guardrail certainly fell."""

    MIS_SPLIT = "mis-split"
    TOO_EARLY = "too early"
    BETTER = "better"
    HARMFUL = "harmful"
    NO_DIFFERENCE = "no difference found"
    UNDECIDED = "undecided"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class ArmCount(_Part):
    arm: str
    share: float
    viewers: int


class MetricEffect(_Part):
    """One arm against the control. low, high: of the lift, to be read once, when the planned days are over.
    any_low, any_high: to be read every day. q_value: p adjusted over all measures and arms (Benjamini &
    Hochberg 1995). narrowed: width by the days before as a share of the width without them. segment: empty
    for all viewers. smallest_lift: that so many viewers find with a probability of 80 %."""

    metric: str
    title: str
    arm: str
    control: float
    treatment: float
    lift: float | None
    low: float | None
    high: float | None
    any_low: float | None
    any_high: float | None
    p_value: float
    q_value: float = 1.0
    narrowed: float = 1.0
    viewers: int = 0
    smallest_lift: float | None = None
    segment: str = ""
    difference: float = 0.0

    @property
    def is_known(self) -> bool:
        return self.lift is not None


class DayEffect(_Part):
    """The lift of the measure that decides on one day alone, for viewers who came."""

    day: str
    arm: str
    lift: float
    low: float
    high: float


class ArmVerdict(_Part):
    arm: str
    verdict: Verdict
    sentence: str


class ReportHead(_Part):
    """What a report of either kind begins with. days: since the start, of which pages are known."""

    name: str
    status: str
    measured_at: AwareDatetime
    begin: AwareDatetime
    end: AwareDatetime
    days: float
    planned_days: int

    @property
    def is_over(self) -> bool:
        """Returns whether the planned days are over: from then on the narrower interval is read, once."""
        return self.days >= self.planned_days


class ExperimentReport(ReportHead):
    """What was measured of viewers with one arm each. crossed: viewers who had pages of two arms."""

    primary: str
    smallest_effect: float
    arms: tuple[ArmCount, ...]
    ratio_p: float
    is_mis_split: bool
    crossed: int
    effects: tuple[MetricEffect, ...]
    segments: tuple[MetricEffect, ...]
    by_day: tuple[DayEffect, ...]
    verdicts: tuple[ArmVerdict, ...]

    def find_effect(self, metric: str, arm: str) -> MetricEffect | None:
        return next((one for one in self.effects if (one.metric, one.arm) == (metric, arm)), None)


def name_day(day: int) -> str:
    """Returns the date of a day since 1970, as a report states it."""
    return f"{date(1970, 1, 1) + timedelta(days=day)}"


def decide(report: ExperimentReport, losses: Sequence[tuple[str, float]]) -> tuple[ArmVerdict, ...]:
    """Returns the verdict on each arm. losses: of guardrails, by measure."""
    names = [count.arm for count in report.arms[1:]]
    if report.is_mis_split:
        sentence = describe_split(report)
        return tuple(ArmVerdict(arm=arm, verdict=Verdict.MIS_SPLIT, sentence=sentence) for arm in names)
    return tuple(_decide_arm(report, arm, losses) for arm in names)


def describe_split(report: ExperimentReport) -> str:
    counts = ", ".join(f"{one.arm} {one.viewers:,} (meant {one.share:.0%})" for one in report.arms)
    return (
        f"Do not read the effects: the split is not what was defined ({counts}; p = {report.ratio_p:.1g}). "
        "Find out which viewers or pages are missing, then start a new experiment."
    )


def _decide_arm(report: ExperimentReport, arm: str, losses: Sequence[tuple[str, float]]) -> ArmVerdict:
    effect = report.find_effect(report.primary, arm)
    if effect is None or effect.low is None or effect.any_low is None:
        sentence = f"Too early: each arm needs {MIN_VIEWERS} viewers, and the control some {report.primary}."
        return ArmVerdict(arm=arm, verdict=Verdict.TOO_EARLY, sentence=sentence)
    is_over = report.is_over
    for metric, loss in losses:
        guarded = report.find_effect(metric, arm)
        if guarded is None:
            continue
        high = guarded.high if is_over else guarded.any_high
        if high is not None and high < -loss:
            sentence = f"Stop it: {describe_lift(guarded, is_over)}, and a loss of {loss:.0%} was the limit."
            return ArmVerdict(arm=arm, verdict=Verdict.HARMFUL, sentence=sentence)
    return _decide_primary(report, effect, is_over)


def _decide_primary(report: ExperimentReport, effect: MetricEffect, is_over: bool) -> ArmVerdict:
    low, high = (effect.low, effect.high) if is_over else (effect.any_low, effect.any_high)
    assert low is not None and high is not None  # both or none is known
    what, arm = describe_lift(effect, is_over), effect.arm
    if low > 0:
        worth = f"{effect.difference:+,.4g} {effect.title[0].lower()}{effect.title[1:]}"
        sentence = f"{arm} is better: {what}; that is {worth}. It can be promoted."
        return ArmVerdict(arm=arm, verdict=Verdict.BETTER, sentence=sentence)
    if high < 0:
        return ArmVerdict(arm=arm, verdict=Verdict.HARMFUL, sentence=f"Stop it, {arm} is worse: {what}.")
    if is_over:
        found = (
            "no effect that would matter" if max(-low, high) < report.smallest_effect else "no certain effect"
        )
        sentence = f"{arm}: {found} after {report.days:.0f} days; {what}."
        return ArmVerdict(arm=arm, verdict=Verdict.NO_DIFFERENCE, sentence=sentence)
    left = report.planned_days - report.days
    sentence = f"{arm} is undecided: {what}. Let it run for {left:.0f} more days; looking at it does no harm."
    return ArmVerdict(arm=arm, verdict=Verdict.UNDECIDED, sentence=sentence)


def describe_lift(effect: MetricEffect, is_over: bool) -> str:
    """Returns a lift as words, with the interval that decides: that for any look until the days are over."""
    low, high = (effect.low, effect.high) if is_over else (effect.any_low, effect.any_high)
    if effect.lift is None or low is None or high is None:
        return f"{effect.title.lower()}: not known"
    between = f"between {low:+.1%} and {high:+.1%}" + ("" if is_over else " at any look")
    return f"{effect.title.lower()} {effect.lift:+.1%} ({between})"

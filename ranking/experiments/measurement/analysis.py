"""From the log of an experiment to its report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.effects import ALPHA, Effect, estimate_effect_of
from reelrank.ranking.experiments.measurement.metrics import METRICS
from reelrank.ranking.experiments.measurement.outcomes import ExperimentLog, ViewerTotals
from reelrank.ranking.experiments.measurement.power import compute_smallest_lift
from reelrank.ranking.experiments.measurement.report import (
    ArmCount,
    DayEffect,
    ExperimentReport,
    MetricEffect,
    decide,
    name_day,
)
from reelrank.ranking.experiments.measurement.sample_ratio import check_sample_ratio

SEGMENT_METRICS = ("ctr", "watch_s_per_impression", "watch_s_per_viewer")


@dataclass(frozen=True, slots=True)
class ReportTimes:
    """begin, end: of the pages whose outcomes are known. measured_at: now."""

    begin: datetime
    end: datetime
    measured_at: datetime

    @property
    def days(self) -> float:
        return max((self.end - self.begin) / timedelta(days=1), 0.0)


def build_report(experiment: Experiment, log: ExperimentLog, times: ReportTimes) -> ExperimentReport:
    """Measures all viewers first, then segments and days, and decides."""
    definition = experiment.definition
    counts = [int((log.arms == index).sum()) for index in range(len(definition.arms))]
    ratio = check_sample_ratio(counts, definition.shares)
    totals, alpha = log.total(), ALPHA / (len(definition.arms) - 1)
    effects = list(_measure(experiment, totals, tuple(METRICS), alpha))
    from scipy.stats import false_discovery_control  # takes a second to import, which only a report needs

    q_values = np.asarray(false_discovery_control([one.p_value for one in effects]) if effects else [])
    arms = tuple(
        ArmCount(arm=arm.name, share=arm.share, viewers=count)
        for arm, count in zip(definition.arms, counts, strict=True)
    )
    report = ExperimentReport(
        name=experiment.name,
        status=experiment.status,
        measured_at=times.measured_at,
        begin=times.begin,
        end=times.end,
        days=times.days,
        planned_days=definition.planned_days,
        primary=definition.primary,
        smallest_effect=definition.smallest_effect,
        arms=arms,
        ratio_p=ratio.p_value,
        is_mis_split=ratio.is_mismatch,
        crossed=log.crossed,
        effects=tuple(
            one.model_copy(update={"q_value": float(q)}) for one, q in zip(effects, q_values, strict=True)
        ),
        segments=tuple(_measure_segments(experiment, log, alpha)),
        by_day=tuple(_measure_days(experiment, log)),
        verdicts=(),
    )
    losses = [(guardrail.metric, guardrail.loss) for guardrail in definition.guardrails]
    return report.model_copy(update={"verdicts": decide(report, losses)})


def _measure(
    experiment: Experiment, totals: ViewerTotals, metrics: Sequence[str], alpha: float, segment: str = ""
) -> Iterator[MetricEffect]:
    arms = experiment.definition.arms
    for index in range(1, len(arms)):
        for name in metrics:
            effect = estimate_effect_of(name, totals, index, alpha)
            if effect is not None:
                shares = arms[0].share, arms[index].share
                yield _describe(name, arms[index].name, effect, shares, alpha).model_copy(
                    update={"segment": segment}
                )


def _describe(name: str, arm: str, effect: Effect, shares: tuple[float, float], alpha: float) -> MetricEffect:
    control = effect.control
    parts = (effect.difference, effect.low, effect.high, effect.any_low, effect.any_high)
    lifts = [effect.to_lift(part) if control.value > 0 else None for part in parts]
    n = control.n + effect.treatment.n
    total = sum(shares)
    pair = shares[0] / total, shares[1] / total
    smallest = compute_smallest_lift(control.value, control.variance * control.n, n, pair, alpha)
    return MetricEffect(
        metric=name,
        title=METRICS[name].title,
        arm=arm,
        control=control.value,
        treatment=effect.treatment.value,
        lift=lifts[0],
        low=lifts[1],
        high=lifts[2],
        any_low=lifts[3],
        any_high=lifts[4],
        p_value=effect.p_value,
        narrowed=effect.narrowed,
        viewers=n,
        smallest_lift=smallest if np.isfinite(smallest) else None,
        difference=effect.difference,
    )


def _measure_segments(experiment: Experiment, log: ExperimentLog, alpha: float) -> Iterator[MetricEffect]:
    """Measures new and returning viewers, and each surface: exploratory, since they are many."""
    for segment, mask in (("new viewers", log.is_new), ("returning viewers", ~log.is_new)):
        totals = log.select(mask).total()
        yield from _measure(experiment, totals, SEGMENT_METRICS, alpha, segment)
    for surface in np.unique(log.days.surface).tolist():
        totals = log.total(log.days.select(log.days.surface == surface))
        without_past = replace(totals, past={name: 0 * column for name, column in totals.past.items()})
        yield from _measure(experiment, without_past, SEGMENT_METRICS, alpha, f"{surface} pages")


def _measure_days(experiment: Experiment, log: ExperimentLog) -> Iterator[DayEffect]:
    """Measures each day alone: an effect that fades is novelty."""
    definition = experiment.definition
    primary = definition.primary if METRICS[definition.primary].has_past else "watch_s_per_viewer"
    for day in np.unique(log.days.day).tolist():
        totals = log.total(log.days.select(log.days.day == day))
        for index, arm in enumerate(definition.arms[1:], 1):
            effect = estimate_effect_of(primary, totals, index)
            if effect is not None and effect.control.value > 0:
                lifts = [effect.to_lift(part) for part in (effect.difference, effect.low, effect.high)]
                yield DayEffect(day=name_day(day), arm=arm.name, lift=lifts[0], low=lifts[1], high=lifts[2])

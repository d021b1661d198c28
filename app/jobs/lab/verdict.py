"""What the table of the imbalance lab means, in words: what is certain, what is not, and what to use."""

from collections.abc import Sequence

from reelrank.app.jobs.lab.imbalance import ImbalanceReport, ImbalanceRow
from reelrank.app.jobs.lab.trial import ModelKind
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.evaluation.pooled_measures import HIGHER_IS_BETTER

JUDGED_BY = {"ndcg@10": "the order (NDCG@10)", "nce": "the probability (NCE)"}
"""NCE in place of log loss: the same verdict, comparable between data sets."""


def is_certainly_better(difference: Interval, measure: str) -> bool:
    return difference.low > 0 if measure in HIGHER_IS_BETTER else difference.high < 0


def is_certainly_worse(difference: Interval, measure: str) -> bool:
    return difference.high < 0 if measure in HIGHER_IS_BETTER else difference.low > 0


def describe_verdict(report: ImbalanceReport) -> list[str]:
    """Returns sentences: for each model what differs from doing nothing, then what to use."""
    lines = [
        _describe_measure(report, model, measure)
        for model in dict.fromkeys(row.trial.model for row in report.rows)
        for measure in JUDGED_BY
    ]
    return [
        *lines,
        *(_recommend(report, model) for model in dict.fromkeys(r.trial.model for r in report.rows)),
    ]


def _describe_measure(report: ImbalanceReport, model: ModelKind, measure: str) -> str:
    compared = _compare(report, model, measure)
    better = [f"{row.name} {_format(d)}" for row, d in compared if is_certainly_better(d, measure)]
    worse = [f"{row.name} {_format(d)}" for row, d in compared if is_certainly_worse(d, measure)]
    unsure = [row.name for row, d in compared if d.low <= 0 <= d.high]
    parts = [
        f"certainly better: {'; '.join(better)}" if better else "nothing is certainly better",
        *([f"certainly worse: {'; '.join(worse)}"] if worse else []),
        *([f"not certain: {', '.join(unsure)}"] if unsure else []),
    ]
    return f"{model}, {JUDGED_BY[measure]} against doing nothing: {'. '.join(parts)}."


def _recommend(report: ImbalanceReport, model: ModelKind) -> str:
    """Recommends the best order among ways that certainly improve something and certainly spoil nothing."""
    differences = {
        measure: {row.name: d for row, d in _compare(report, model, measure)} for measure in JUDGED_BY
    }
    useful = [
        name
        for name in differences["ndcg@10"]
        if any(is_certainly_better(differences[m][name], m) for m in JUDGED_BY)
        and not any(is_certainly_worse(differences[m][name], m) for m in JUDGED_BY)
    ]
    if not useful:
        return (
            f"{model}: do nothing. No way certainly improves the order or the probability without certainly "
            "spoiling the other."
        )
    best = max(useful, key=lambda name: differences["ndcg@10"][name].mean)
    order = _format(differences["ndcg@10"][best])
    return f"{model}: use {best}; NDCG@10 {order}, NCE {_format(differences['nce'][best])}."


def _compare(
    report: ImbalanceReport, model: ModelKind, measure: str
) -> Sequence[tuple[ImbalanceRow, Interval]]:
    baseline = report.get_baseline(model)
    others = [row for row in report.rows if row.trial.model is model and not row.is_baseline]
    return [(row, row.measures.compare(baseline.measures, measure)) for row in others]


def _format(difference: Interval) -> str:
    return f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"

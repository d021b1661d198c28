"""The report of an experiment: read from the lake, measured, and stored for the operator pages."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reelrank.app.jobs.lake import export_lake
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.errors import Conflict
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.logged.experiment_log import read_experiment_log
from reelrank.loaders.logged.experiment_pages import LogSpan
from reelrank.loaders.logged.interleaving_log import read_interleaving_log
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.analysis import ReportTimes, build_report
from reelrank.ranking.experiments.measurement.effects import ALPHA
from reelrank.ranking.experiments.measurement.interleaving import build_interleaving_report
from reelrank.ranking.experiments.measurement.power import Duration, find_days, plan_durations
from reelrank.ranking.experiments.measurement.stored_reports import Report, write_report
from reelrank.ranking.progress import Progress

PLAN_DAYS = 28
"""Days of the log that a plan looks at, at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """durations: what could be found after how many days. days: that find `smallest_effect`; None for none of
    them. logged_days: that the plan rests on."""

    metric: str
    smallest_effect: float
    durations: tuple[Duration, ...]
    days: int | None
    logged_days: int


def measure_experiment(container: Container, name: str, progress: Progress) -> Report:
    """Measures an experiment as of now, and stores the report. Raises NotFound, or Conflict for a draft."""
    experiment, now = container.experiments.find(name), container.clock.now()
    if experiment.started_at is None:
        raise Conflict(
            f"experiment {name} was not started; run: reelrank experiments start {name}",
            code="experiment_not_running",
        )
    export_lake(container, progress)
    span = build_span(experiment, experiment.started_at, now)
    lake, times = Lake(build_lake_storage(container.settings)), build_times(span, now)
    report: Report
    if experiment.definition.interleave:
        report = build_interleaving_report(experiment, read_interleaving_log(lake, span, progress), times)
    else:
        report = build_report(experiment, read_experiment_log(lake, span, progress), times)
    write_report(container.settings.reports_dir, report)
    return report


def build_times(span: LogSpan, now: datetime) -> ReportTimes:
    return ReportTimes(span.begin, max(span.settled, span.begin), now)


def build_span(experiment: Experiment, begin: datetime, now: datetime) -> LogSpan:
    """Returns what an experiment's report reads."""
    definition = experiment.definition
    return LogSpan(
        definition.name,
        begin,
        experiment.stopped_at or now,
        now,
        tuple(arm.name for arm in definition.arms),
        definition.exclusions.surfaces,
        definition.conversion.kind,
        definition.conversion.window_hours,
    )


def plan_experiment(container: Container, definition: ExperimentDefinition, progress: Progress) -> Plan:
    """Says how long an experiment would take, if its days were like the last ones of the lake.

    Raises Conflict for an interleaved one: how different both rankings are is not in the log.
    """
    if definition.interleave:
        raise Conflict(
            f"experiment {definition.name} is interleaved, and the log cannot say how long that takes; "
            "start it and read its report every day",
            code="experiment_not_planned",
        )
    export_lake(container, progress)
    now = container.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    span = LogSpan(
        "",
        midnight - timedelta(days=PLAN_DAYS),
        midnight,
        now,
        surfaces=definition.exclusions.surfaces,
        convert_kind=definition.conversion.kind,
        convert_hours=definition.conversion.window_hours,
    )
    log = read_experiment_log(Lake(build_lake_storage(container.settings)), span, progress)
    alpha = ALPHA / (len(definition.arms) - 1)
    durations = plan_durations(definition.primary, log, definition.shares, definition.traffic, alpha)
    logged = int(log.days.day.max() - log.days.day.min()) + 1 if len(log.days) else 0
    found = find_days(durations, definition.smallest_effect)
    return Plan(definition.primary, definition.smallest_effect, tuple(durations), found, logged)

"""What the overview page shows: releases, decisions, index versions, traffic, quality, drift, loads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reelrank.app.release.promotion import ReleaseManager
from reelrank.app.search.service import SearchService
from reelrank.app.web.ops.activity import EventRate, measure_event_rate
from reelrank.app.web.ops.charts import LineChart, build_line_chart, describe_interval
from reelrank.app.web.ops.drift import DriftView, read_drift_view
from reelrank.app.web.ops.timeline import LoopRun, list_runs
from reelrank.app.web.ops.traffic import Traffic, read_traffic
from reelrank.index_mappings.engine import IndexVersion
from reelrank.loaders.load_history import LoadRecord, read_loads
from reelrank.ranking.evaluation.served.days import ServedDays, read_days
from reelrank.ranking.evaluation.served.measure import ServedQuality
from reelrank.ranking.evaluation.served.sources import SourceShares, read_sources
from reelrank.ranking.registry.decisions import TURNS, Decision, FileHistory
from reelrank.ranking.registry.releases import Release, describe_state

MAX_RUNS, MAX_RELEASES, MAX_LOADS = 50, 20, 10
CHARTS = {
    "ctr": ("Click-through rate", "{:.1%}"),
    "watch_s_per_impression": ("Seconds watched of a seen item", "{:,.1f}"),
    "ndcg@10": ("NDCG@10 as served", "{:.3f}"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Operations:
    """What the pages read and change. history: the decisions of the loop. reports_dir: measures by day,
    drift and sources. loads_dir: the records of loads."""

    releases: ReleaseManager
    history: FileHistory
    reports_dir: Path
    loads_dir: Path


@dataclass(frozen=True, slots=True)
class ListedRelease:
    """A release with its state, as `describe_state` returns it; and why it was made or refused."""

    release: Release
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview page. runs: of the loop, newest first. days, charts: quality by day; None and empty
    before any was measured. degraded: what the serving state lacks, in sentences. drift, sources: None before
    any was measured. event_rate: None while the event store does not answer. loads: newest first."""

    releases: Sequence[ListedRelease]
    runs: Sequence[LoopRun]
    versions: Sequence[IndexVersion]
    traffic: Traffic
    days: ServedDays | None
    charts: Sequence[LineChart]
    degraded: Sequence[str]
    drift: DriftView | None
    sources: SourceShares | None
    event_rate: EventRate | None
    loads: Sequence[LoadRecord]


def build_overview(service: SearchService, operations: Operations) -> Overview:
    """Reads everything that the overview page shows. Raises EngineError when the engine does not answer."""
    decisions = operations.history.read()
    days = read_days(operations.reports_dir)
    state = service.refresher.state if service.refresher.is_ready else None
    return Overview(
        list_releases(operations, decisions)[:MAX_RELEASES],
        list_runs(decisions, MAX_RUNS),
        service.engine.versions(),
        read_traffic(),
        days,
        build_charts(days),
        [one.detail or str(one) for one in state.degraded] if state else ["no index serves yet"],
        read_drift_view(operations.reports_dir),
        read_sources(operations.reports_dir),
        measure_event_rate(service.events, service.clock.now()),
        read_loads(operations.loads_dir, MAX_LOADS),
    )


def list_releases(operations: Operations, decisions: Sequence[Decision]) -> list[ListedRelease]:
    """Lists the releases, newest first, each with the last sentence that decided about it."""
    pointer = operations.releases.store.read_pointer()
    verdicts = {one.release: one.verdict for one in decisions if one.release and one.outcome in TURNS}
    return [
        ListedRelease(release, describe_state(release, pointer), verdicts.get(release.id, release.reason))
        for release in operations.releases.list_releases()
    ]


def build_charts(days: ServedDays | None) -> list[LineChart]:
    """Builds a chart of each measure that any day has."""
    charts = [
        build_line_chart(
            title,
            [(f"{one.day}", one.measures[name]) for one in days.days if name in one.measures],
            pattern,
        )
        for name, (title, pattern) in CHARTS.items()
    ] if days else []  # fmt: skip
    return [chart for chart in charts if chart is not None]


def tabulate_days(days: ServedDays) -> list[tuple[str, str, str, Mapping[str, str]]]:
    """Returns a row for each day, newest first: day, requests, viewers, and the means by measure."""
    return [
        (
            f"{one.day}",
            f"{one.requests:,}",
            f"{one.viewers:,}",
            {
                name: pattern.format(one.measures[name].mean)
                for name, (_, pattern) in CHARTS.items()
                if name in one.measures
            },
        )
        for one in reversed(days.days)
    ]


def tabulate_exploration(days: ServedDays | None) -> list[tuple[str, str, Mapping[str, str]]]:
    """Returns what all items and those of exploration slots earned: name, items, measures with intervals.

    Empty without exploration slots.
    """
    if days is None or days.whole is None or days.explored is None:
        return []
    rows: tuple[tuple[str, ServedQuality], ...] = (
        ("all items", days.whole),
        ("items of exploration slots", days.explored),
    )
    return [
        (
            name,
            f"{quality.impressions:,}",
            {
                measure: describe_interval(quality.measures[measure], pattern)
                for measure, (_, pattern) in CHARTS.items()
                if measure in quality.measures and measure in days.explored.measures
            },
        )
        for name, quality in rows
    ]

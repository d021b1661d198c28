"""Drift between two spans of pages: features, scores, labels, and what a release's embeddings know."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow.compute as pc

from reelrank.app.loop.reading.label_profiles import count_labels
from reelrank.app.loop.reading.partition_profiles import KeptProfiles
from reelrank.app.wiring import Container, build_lake_storage, load_model
from reelrank.index_mappings.decision import CANDIDATES, REQUESTS
from reelrank.index_mappings.errors import ModelNotFound, NotFound
from reelrank.index_mappings.match import encode_item_ids
from reelrank.loaders.lake.reader import Lake, Partition
from reelrank.ranking.drift.histograms import Histogram, Profile, add_profiles
from reelrank.ranking.drift.report import DriftReport, Kind, compare_kinds
from reelrank.ranking.evaluation.intervals import count_effective
from reelrank.ranking.items.table import ItemTable, TableError, open_table
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.rankers.manifest import Manifest, ModelRejected, read_manifest
from reelrank.ranking.registry.releases import Release

PROFILE_FOLDER = "profiles"
MIN_VIEWERS = 30
"""Viewers of a span below which nothing is said of it. A choice."""
LEARNED_VECTOR, KNOWN = "factors", "has a learned vector"


@dataclass(frozen=True, slots=True)
class Span:
    """Pages with begin <= time < end."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What drift is measured for: the gains, scores and vectors of one release.

    ranker: None for the fused order or a model that does not fit this build. table: None where the index
    version has none. learned_until: the newest event that it learned from; None: unknown.
    """

    ranker: Ranker | None = None
    gains: Mapping[str, float] | None = None
    table: ItemTable | None = None
    learned_until: datetime | None = None


def measure_drift(container: Container, before: Span, now: Span, subject: Subject) -> DriftReport:
    """Compares what was shown in two spans, and what viewers did with it.

    Where the lake has hours, the span before has the hours of the day of the later one only: viewers of the
    evening differ from those of the morning. Raises NotFound with too few viewers in either.
    """
    lake = Lake(build_lake_storage(container.settings))
    later = lake.list_partitions(CANDIDATES, now.begin, now.end)
    hours = {part.hour for part in later}
    earlier = [
        part
        for part in lake.list_partitions(CANDIDATES, before.begin, before.end)
        if part.end <= before.end and (part.hour in hours or None in (part.hour, *hours))
    ]
    viewers = _count_viewers(lake, before), _count_viewers(lake, now)
    if not earlier or not later or min(viewers) < MIN_VIEWERS:
        raise NotFound(
            f"pages of {viewers[0]:,.0f} viewers before and {viewers[1]:,.0f} now (effective numbers) are "
            f"too few to compare; each span needs {MIN_VIEWERS}; serve more pages, or compare longer spans",
            code="no_logged_pages",
        )
    kept = KeptProfiles(lake, container.settings.loop_dir / PROFILE_FOLDER)
    measured_at, learned = container.clock.now(), subject.learned_until
    profiles = _profile_kinds(kept, (earlier, later), subject, measured_at)
    age_h = (measured_at - learned) / timedelta(hours=1) if learned is not None else None
    return compare_kinds(profiles, viewers, embeddings_age_h=age_h)


def _profile_kinds(
    kept: KeptProfiles,
    spans: tuple[Sequence[Partition], Sequence[Partition]],
    subject: Subject,
    now: datetime,
) -> dict[Kind, tuple[Profile, Profile]]:
    features = [add_profiles([kept.count_features(part) for part in parts]) for parts in spans]
    features[0] = replace(features[0], gains=subject.gains or {})
    profiles = {Kind.FEATURES: features}
    if subject.ranker is not None:
        ranker = subject.ranker
        kept.forget_scores(ranker)
        profiles[Kind.SCORES] = [
            add_profiles([kept.count_scores(part, ranker) for part in parts]) for parts in spans
        ]
    profiles[Kind.LABELS] = [count_labels(kept, parts, now) for parts in spans]
    if subject.table is not None and subject.table.has_vector(LEARNED_VECTOR).any():
        table = subject.table
        profiles[Kind.EMBEDDINGS] = [_count_known(kept, parts, table) for parts in spans]
    return {kind: (before, later) for kind, (before, later) in profiles.items()}


def choose_spans(
    now: datetime, hours: float, days: float, learned_until: datetime | None = None
) -> tuple[Span, Span]:
    """Returns the days to compare with, and the last hours.

    The days end where the training data ended; where that is unknown, later than the start of the last hours,
    or more than `days` before it, they end where the last hours start.
    """
    begin, length = now - timedelta(hours=hours), timedelta(days=days)
    is_within = learned_until is not None and begin - length < learned_until < begin
    end = learned_until if learned_until is not None and is_within else begin
    return Span(end - length, end), Span(begin, now)


def read_subject(container: Container, release: Release | None) -> Subject:
    """Reads what drift needs of a release; nothing of the parts that are gone or do not fit this build."""
    if release is None:
        return Subject()
    table = _open_table(container, release.index_version)
    if release.model == FusedOrder.name:
        return Subject(table=table)
    try:
        directory = container.registry.find_directory(release.model)
        manifest = read_manifest(directory)
        ranker = load_model(directory)
    except (ModelNotFound, ModelRejected, OSError, ValueError):
        return Subject(table=table)
    return Subject(ranker, manifest.gains, table, _find_learned_until(manifest))


def _find_learned_until(manifest: Manifest) -> datetime | None:
    if manifest.data_window is None:
        return None
    return datetime.fromtimestamp(manifest.data_window[1] / 1000, UTC)


def _open_table(container: Container, version: str) -> ItemTable | None:
    if not version:
        return None
    try:
        return open_table(container.settings.tables_dir / version)
    except TableError:
        return None


def _count_known(kept: KeptProfiles, partitions: Sequence[Partition], table: ItemTable) -> Profile:
    """Counts shown items by whether the release has a learned vector for them, 1 or 0."""
    is_known, counts = table.has_vector(LEARNED_VECTOR), np.zeros(2)
    for partition in partitions:
        items, shown = kept.count_items(partition)
        rows = table.find_rows(encode_item_ids(items))
        known = (rows >= 0) & is_known[np.maximum(rows, 0)]
        counts += (shown[~known].sum(), shown[known].sum())
    return Profile({KNOWN: Histogram(np.array([0, 1], np.float32), counts)}, rows=int(counts.sum()))


def _count_viewers(lake: Lake, span: Span) -> float:
    """Returns the effective number of known viewers: pages of one viewer are alike."""
    pages = Counter[str]()
    for batch in lake.scan(REQUESTS, span.begin, span.end, ("user_key",)):
        counts = pc.value_counts(batch["user_key"])
        pages.update(dict(zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True)))
    return count_effective(np.array([count for key, count in pages.items() if key], np.int64))

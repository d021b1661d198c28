"""Drift of the features of shown items: histograms kept for each partition of the lake, and compared."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.decision import CANDIDATES, REQUESTS, name_signal_column
from reelrank.index_mappings.errors import BadRequest, NotFound
from reelrank.loaders.lake.reader import Lake, Partition
from reelrank.ranking.arrow_columns import to_array
from reelrank.ranking.drift.histograms import (
    Profile,
    add_profiles,
    count_features,
    read_profile,
    write_profile,
)
from reelrank.ranking.drift.report import DriftReport, compare_profiles
from reelrank.ranking.features.compute import FEATURE_NAMES, compute_features
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.rankers.manifest import read_manifest
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training.logged_rows import list_signals

PROFILE_FOLDER = "profiles"
MIN_VIEWERS = 30
"""Viewers of a span below which nothing is said of it. A choice."""


@dataclass(frozen=True, slots=True)
class Span:
    """Pages with begin <= time < end."""

    begin: datetime
    end: datetime


def measure_drift(container: Container, before: Span, now: Span, model: str) -> DriftReport:
    """Compares the features of what was shown in two spans, weighted by the gains of a model.

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
            f"pages of {viewers[0]:,.0f} viewers before and {viewers[1]:,.0f} now are too few to compare, "
            f"{MIN_VIEWERS} of each are the least; serve on, or compare longer spans",
            code="no_logged_pages",
        )
    directory = container.settings.loop_dir / PROFILE_FOLDER
    profiles = [_add(lake, parts, directory) for parts in (earlier, later)]
    gains = {} if model == FusedOrder.name else _read_gains(container, model)
    return compare_profiles(replace(profiles[0], gains=gains), profiles[1], viewers)


def choose_spans(now: datetime, hours: float, days: float) -> tuple[Span, Span]:
    """Returns the last hours, and so many days before them."""
    begin = now - timedelta(hours=hours)
    return Span(begin - timedelta(days=days), begin), Span(begin, now)


def _add(lake: Lake, partitions: Iterable[Partition], directory: Path) -> Profile:
    return add_profiles([profile_partition(lake, part, directory) for part in partitions])


def profile_partition(lake: Lake, partition: Partition, directory: Path) -> Profile:
    """Returns the histograms of a partition, which are kept until other files count or features change."""
    hour = "day" if partition.hour is None else f"{partition.hour:02d}"
    fingerprint = compute_feature_fingerprint(FEATURE_NAMES)
    path = directory / f"{partition.date}-{hour}-{partition.revision}-{fingerprint}.parquet"
    try:
        return read_profile(path)
    except (OSError, ValueError):
        profile = _count_partition(lake, partition)
        write_profile(path, profile)
        return profile


def _count_partition(lake: Lake, partition: Partition) -> Profile:
    signals = {name: name_signal_column(name) for name in list_signals(FEATURE_NAMES)}
    columns, parts = ["shown", *dict.fromkeys(signals.values())], list[Profile]()
    try:
        for batch in lake.read(partition, columns, partition.begin, partition.end):
            shown = batch.filter(batch["shown"])
            if not shown.num_rows:
                continue
            read = {name: to_array(shown[column], np.float32) for name, column in signals.items()}
            features = compute_features(Signals(read), FEATURE_NAMES)
            parts.append(Profile(count_features(features, FEATURE_NAMES), rows=shown.num_rows))
    except BadRequest:  # an earlier build logged other signals: the partition says nothing of these features
        return Profile({})
    return add_profiles(parts) if parts else Profile({})


def _count_viewers(lake: Lake, span: Span) -> float:
    keys = [batch["user_key"] for batch in lake.scan(REQUESTS, span.begin, span.end, ("user_key",))]
    if not keys:
        return 0.0
    known = pc.unique(pa.chunked_array(keys))
    return float(len(known.filter(pc.not_equal(known, ""))))


def _read_gains(container: Container, model: str) -> dict[str, float]:
    return read_manifest(container.registry.find_directory(model)).gains

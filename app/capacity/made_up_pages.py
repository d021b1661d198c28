"""Made-up logged pages of one hour: enough like real ones to measure what attributing and building costs."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.app.clock import to_ms
from reelrank.index_mappings.decision import (
    LAKE_EVENT_SCHEMA,
    REQUEST_SCHEMA,
    build_candidate_schema,
    name_signal_column,
)
from reelrank.index_mappings.event import HOUR_MS
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.retrieval.source_names import SOURCES
from reelrank.ranking.training.logged_rows import list_signals

DAY = date(2026, 1, 5)
HOUR = 9
ITEMS, SIGNAL_VALUES = 5_000, 500
SEEN_SHARE, PLAYED_SHARE = 0.3, 0.07
"""Of shown items that were on the screen, and of these the played ones: about 2 of 100 shown."""


@dataclass(frozen=True, slots=True)
class PageSizes:
    """pages: of the hour. shown: items of a page. group: candidates of a page that is logged as a whole."""

    pages: int
    shown: int = 100
    group: int = 1_000
    whole_share: float = 0.1


def make_up_requests(sizes: PageSizes, day: date = DAY) -> pa.Table:
    """Makes up requests of different viewers, spread over an hour of a day."""
    begin = to_ms(datetime.combine(day, time(HOUR), UTC))
    at_ms = begin + np.arange(sizes.pages, dtype=np.int64) * HOUR_MS // sizes.pages
    names = [f"{day:%Y%m%d}{n:024x}" for n in range(sizes.pages)]
    columns = {"request_id": names, "user_key": names, "at_ms": at_ms, "surface": ["home"] * sizes.pages}
    return _fill(columns, REQUEST_SCHEMA, sizes.pages)


def make_up_candidates(requests: pa.Table, sizes: PageSizes, rng: np.random.Generator) -> pa.Table:
    """Makes up the candidates of requests, with random signals. It has the column `at_ms`, too."""
    is_whole = rng.random(sizes.pages) < sizes.whole_share
    counts = np.where(is_whole, sizes.group, sizes.shown)
    request = np.repeat(np.arange(sizes.pages), counts)
    position = np.arange(len(request)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.repeat(rng.integers(0, ITEMS, sizes.pages), counts)
    columns = {
        "request_id": requests["request_id"].take(pa.array(request)),
        "item": _name_items((first + position) % ITEMS),
        "position": position.astype(np.int32),
        "shown": position < sizes.shown,
        "is_whole_group": is_whole[request],
        "score": rng.random(len(request), np.float32),
        "at_ms": requests["at_ms"].take(pa.array(request)),
    }
    signals = list_signals(FEATURE_NAMES)
    schema = build_candidate_schema(SOURCES, signals).append(pa.field("at_ms", pa.int64()))
    for name in map(name_signal_column, signals):
        values = rng.integers(0, SIGNAL_VALUES, len(request), np.int32)
        is_whole_number = pa.types.is_integer(schema.field(name).type)
        columns[name] = values if is_whole_number else values.astype(np.float32) / SIGNAL_VALUES
    return _fill(columns, schema, len(request))


def make_up_events(candidates: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Makes up what viewers did: of shown items, some were seen, and few of these clicked and watched."""
    shown = np.flatnonzero(candidates["shown"].to_numpy())
    seen = shown[rng.random(len(shown)) < SEEN_SHARE]
    played = seen[rng.random(len(seen)) < PLAYED_SHARE]
    rows = np.concatenate([seen, played, played])
    kinds = np.repeat(["viewed", "click", "watch"], [len(seen), len(played), len(played)])
    request_ids = candidates["request_id"].take(pa.array(rows))
    at_ms = candidates["at_ms"].take(pa.array(rows)).to_numpy() + 20_000
    is_watch = kinds == "watch"
    watched = np.where(is_watch, rng.integers(60_000, 6_000_000, len(rows)), 0)
    columns = {
        "id": [f"e{n}-{at}" for n, at in enumerate(at_ms.tolist())],
        "kind": kinds.tolist(),
        "user_key": request_ids,
        "request_id": request_ids,
        "item": candidates["item"].take(pa.array(rows)),
        "position": candidates["position"].take(pa.array(rows)),
        "at_ms": at_ms + watched,
        "received_ms": at_ms + watched,
        "started_ms": pa.array(at_ms, mask=~is_watch),
        "watched_ms": pa.array(watched, mask=~is_watch),
        "duration_ms": pa.array(np.full(len(rows), 6_000_000), mask=~is_watch),
    }
    return _fill(columns, LAKE_EVENT_SCHEMA, len(rows))


def _name_items(numbers: NDArray[np.int64]) -> pa.Array:
    return pa.array([f"item-{n}" for n in range(ITEMS)]).take(pa.array(numbers))


def _fill(columns: dict[str, Any], schema: pa.Schema, rows: int) -> pa.Table:
    """Returns the table with the columns of the schema; those that are not given say nothing."""
    filled = {
        field.name: columns[field.name] if field.name in columns else _leave_empty(field, rows)
        for field in schema
    }
    return pa.table(filled).cast(schema)


def _leave_empty(field: pa.Field, rows: int) -> pa.Array:
    if field.nullable:
        return pa.nulls(rows, field.type)
    if pa.types.is_list(field.type):
        return pa.array([[]] * rows, field.type)
    nothing = "" if pa.types.is_string(field.type) else False if pa.types.is_boolean(field.type) else 0
    return pa.nulls(rows, field.type).fill_null(nothing)

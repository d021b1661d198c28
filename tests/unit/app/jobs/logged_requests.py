"""Made-up logged pages: whole groups with random signals, and plays of every second page."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from reelrank.app.wiring import Container, build_lake_storage, build_user_keys
from reelrank.index_mappings.decision import build_candidate_schema, name_signal_column
from reelrank.index_mappings.event import Event
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.retrieval.source_names import SOURCES
from reelrank.ranking.training.logged_rows import list_signals

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SIGNALS = list_signals(FEATURE_NAMES)
SHOWN, CANDIDATES = 5, 8
EXPLORED_SLOT, PROPENSITY = 0, 0.5


def serve_pages(container: Container, requests: int, days: float) -> None:
    """Logs whole groups, the newest an hour ago; of every second page the first item is played to the end."""
    times = [NOW - timedelta(hours=1) - timedelta(days=days * n / requests) for n in range(requests)]
    keys = build_user_keys(container.settings)
    at_ms = [round(time.timestamp() * 1000) for time in times]
    users = [f"viewer-{n}" for n in range(requests)]
    logged = pa.table(
        {
            "request_id": [f"r{n}" for n in range(requests)],
            "at_ms": pa.array(at_ms, pa.int64()),
            "user_key": [keys.get_key(user) for user in users],
            "surface": ["home"] * requests,
        }
    )
    writer = LakeWriter(build_lake_storage(container.settings))
    writer.write_decisions(logged, build_candidates(at_ms), NOW.date())
    container.events.append(
        [
            Event(f"e{n}", "watch", users[n], at_ms[n] + 60_000, f"i{n}-0", 90, 100, f"r{n}")
            for n in range(0, requests, 2)
        ]
    )


def build_candidates(at_ms: list[int]) -> pa.Table:
    rows, rng = len(at_ms) * CANDIDATES, np.random.default_rng(0)
    position = np.tile(np.arange(CANDIDATES, dtype=np.int32), len(at_ms))
    request = np.repeat(np.arange(len(at_ms)), CANDIDATES)
    columns = {
        "request_id": [f"r{n}" for n in request],
        "item": [f"i{n}-{p}" for n, p in zip(request, position, strict=True)],
        "position": position,
        "shown": position < SHOWN,
        "score": np.zeros(rows, np.float32),
        "is_whole_group": np.ones(rows, bool),
        "propensity": pa.array(np.full(rows, PROPENSITY, np.float32), mask=position != EXPLORED_SLOT),
        "at_ms": np.repeat(np.array(at_ms, np.int64), CANDIDATES),
    }
    schema = build_candidate_schema(SOURCES, SIGNALS).append(pa.field("at_ms", pa.int64()))
    signals = {name_signal_column(name): rng.random(rows).astype(np.float32) for name in SIGNALS}
    ranks = {f"rank_{source}": position for source in SOURCES}
    table = {**signals, **ranks, **columns}
    empty = {name: pa.nulls(rows, schema.field(name).type) for name in schema.names if name not in table}
    return (
        pa.table({name: pa.array(column) for name, column in {**table, **empty}.items()})
        .select(schema.names)
        .cast(schema)
    )

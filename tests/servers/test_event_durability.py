"""Events of a cluster: large batches in parts, and nothing to repeat after a load or a migration."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.engines.server.events.event_store import PART, ServerEvents
from reelrank.app.jobs.migration import migrate
from reelrank.app.settings import Settings
from reelrank.app.web.api.events import MAX_BATCH
from reelrank.app.wiring import build_container
from reelrank.index_mappings.event import Event
from reelrank.loaders.events.history import load_history
from reelrank.ranking.progress import ignore_progress
from tests.sample_project import build_project
from tests.servers.intercepted import intercept
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize(
    "server", build_kind_params("elasticsearch-9", "opensearch-3"), indirect=True
)
START_MS = 1_764_000_000_000
PART_TIMEOUT_S = 10.0
SLOW_S = 1.5 * PART_TIMEOUT_S * PART / MAX_BATCH
"""Delay of each part: the largest batch takes longer than one part may."""


def generate_watches(count: int) -> list[Event]:
    return [
        Event(f"w{n}", "watch", f"u{n % 7}", 1_764_000_000_000 + n, f"i{n}", 90, 100) for n in range(count)
    ]


def count_unflushed(engine: ServerEngine, target: str) -> int:
    """Counts the operations that a killed server would repeat when it starts."""
    stats = engine.cluster.request_or_raise("GET", f"/{target}/_stats/translog")
    return int(stats["_all"]["primaries"]["translog"]["uncommitted_operations"])


def test_the_largest_batch_is_taken_by_a_slow_server(
    server: Server, engine: ServerEngine, events: ServerEvents
) -> None:
    def slow_down(_method: str, path: str) -> None:
        if "/_bulk" in path:
            time.sleep(SLOW_S)

    slow = ServerEvents(intercept(engine.cluster, slow_down), events.stream, refresh_ms=200)
    slow.append([Event("first", "watch", "bob", 5, "i1")])  # creates the data stream, which is no part's work
    watches = generate_watches(MAX_BATCH)
    report = slow.append(watches, PART_TIMEOUT_S)
    assert (report.stored, report.duplicates) == (MAX_BATCH, 0)
    assert len(events.recent("u3", MAX_BATCH, 5.0)) == len([w for w in watches if w.user == "u3"])
    again = events.append([*watches, watches[0], Event("new", "watch", "u1", 5, "i1")], PART_TIMEOUT_S)
    assert (again.stored, again.duplicates) == (1, MAX_BATCH + 1)


def test_parts_are_visible_even_if_the_last_holds_only_known_events(events: ServerEvents) -> None:
    known, new = generate_watches(3), [Event(f"n{n}", "watch", "ada", n, "i1") for n in range(PART)]
    events.append(known)
    assert events.append([*new, *known], PART_TIMEOUT_S).stored == PART
    assert len(events.recent("ada", 2 * PART, 5.0)) == PART


def test_a_load_of_events_leaves_nothing_to_repeat(engine: ServerEngine, events: ServerEvents) -> None:
    load_history(generate_watches(300), events)
    assert count_unflushed(engine, events.stream) == 0


def test_a_migration_leaves_nothing_to_repeat(
    server: Server, engine: ServerEngine, prefix: str, tmp_path: Path
) -> None:
    local = build_project(tmp_path, datetime.now(UTC))
    settings = {**local.settings.model_dump(), **server.build_settings(prefix)}
    migrate(build_container(Settings.model_validate(settings)), ignore_progress)
    assert count_unflushed(engine, f"{prefix}events") == 0
    assert count_unflushed(engine, engine.layout.alias) == 0

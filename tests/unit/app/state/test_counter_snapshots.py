"""Counter snapshots: going on from one is the same as counting all events, or it is not done."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from reelrank.app.engines.embedded.store import events as embedded_events
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.state import activity_counters, counter_snapshots
from reelrank.app.state.activity_counters import ActivityCounters, CapturedCounters, SnapshotUnusable
from reelrank.app.state.counter_snapshots import CounterSnapshots, read_snapshot, write_snapshot
from reelrank.app.wiring import warm_service
from reelrank.index_mappings.event import DAY_MS, HOUR_MS, Event, EventKind
from reelrank.index_mappings.item import Document, Item
from reelrank.ranking.items.table import ItemTable, build_table
from tests.sample_project import build_project

BATCH = 7
ITEMS = ("alien", "brazil", "casablanca", "dune")
KEY = bytes(16)
kinds: st.SearchStrategy[EventKind] = st.sampled_from(["watch", "watch", "impression", "click", "like"])
events_of_viewers = st.lists(
    st.builds(
        Event,
        id=st.just(""),
        kind=kinds,
        user=st.sampled_from([f"viewer-{n}" for n in range(12)]),
        at_ms=st.integers(0, 400 * DAY_MS),
        item=st.sampled_from([*ITEMS, "not-loaded"]),
        watched_ms=st.none() | st.integers(0, 30 * HOUR_MS),
        duration_ms=st.none() | st.just(2 * HOUR_MS),
        request_id=st.sampled_from(["", "r1", "r2", "r3"]),
        received_ms=st.none() | st.integers(0, 400 * DAY_MS),
    ),
    min_size=3 * BATCH,
    max_size=12 * BATCH,
)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_events, "BATCH", BATCH)


def build_items(directory: Path, ids: Sequence[str] = ITEMS, duration_s: int = 5400) -> ItemTable:
    documents = [Document(Item(item_id, item_id, duration_s=duration_s)) for item_id in ids]
    return build_table(directory / "-".join(ids), "items-1", [documents], None)


def number(events: Sequence[Event]) -> list[Event]:
    return [Event(f"e{n}", *[getattr(e, f) for f in Event.__slots__[1:]]) for n, e in enumerate(events)]


def count(table: ItemTable, events: EmbeddedEvents) -> ActivityCounters:
    counters = ActivityCounters(table, KEY)
    counters.poll(events)
    return counters


def are_equal(one: CapturedCounters, other: CapturedCounters) -> bool:
    same = all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    return same and one.arrays.keys() == other.arrays.keys() and one.facts == other.facts


def pass_through_file(captured: CapturedCounters, directory: Path) -> CapturedCounters:
    write_snapshot(directory / "counters", captured)
    return read_snapshot(directory / "counters")


@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(events=events_of_viewers, share=st.floats(0.1, 0.9))
def test_going_on_is_counting_all_events(events: list[Event], share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        store, table, numbered = EmbeddedEvents(directory / "engine"), build_items(directory), number(events)
        first = max(int(share * len(numbered)) // BATCH, 1) * BATCH
        store.append(numbered[:first])
        captured = pass_through_file(count(table, store).capture(), directory)
        store.append(numbered[first:])
        restored = ActivityCounters.restore(captured, table, store)
        restored.poll(store)
        whole = count(table, store).capture()
        assert are_equal(_as_lists(restored.capture()), _as_lists(whole))


def _as_lists(captured: CapturedCounters) -> CapturedCounters:
    facts = {n: [list(p) if isinstance(p, tuple) else p for p in v] if isinstance(v, list) else v
             for n, v in captured.facts.items()}  # fmt: skip
    return CapturedCounters(captured.arrays, {**facts, "last_batch": list(facts["last_batch"])})


def build_history(n: int = 6 * BATCH) -> list[Event]:
    return [
        Event(f"e{k}", "watch", f"viewer-{k % 5}", k * DAY_MS, ITEMS[k % 3], 1000 * k, 42_000)
        for k in range(n)
    ]


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedEvents:
    events = EmbeddedEvents(tmp_path / "engine")
    events.append(build_history())
    return events


def list_shares(counters: ActivityCounters, table: ItemTable) -> dict[bytes, list[float]]:
    ids = sorted(table.ids.tolist())
    rows = table.find_rows(np.array(ids, table.ids.dtype))
    return dict(zip(ids, counters.popularity.compute_shares(rows).tolist(), strict=True))


def test_counts_move_to_a_table_with_other_rows_and_new_items(store: EmbeddedEvents, tmp_path: Path) -> None:
    table, other = build_items(tmp_path), build_items(tmp_path, ("new", *reversed(ITEMS)))
    store.append([Event("waits", "watch", "viewer-1", 50 * DAY_MS, "new", 40_000, 42_000)])
    counters = count(table, store)
    moved, whole = ActivityCounters.restore(counters.capture(), other, store), count(other, store)
    store.append([Event("later", "watch", "viewer-2", 51 * DAY_MS, "dune", 40_000, 42_000)])
    for each in (moved, whole):
        each.poll(store)
    shares = list_shares(whole, other)
    assert all(shares[item.encode()][4] > 0 for item in ("new", "dune", "alien"))
    for item, values in list_shares(moved, other).items():
        assert values == pytest.approx(shares[item], rel=1e-9)
    found, expected = (
        each.popularity.find_most_watched(9, lambda rows: rows >= 0)[0].tolist() for each in (moved, whole)
    )
    assert found == expected


def reject(store: EmbeddedEvents, table: ItemTable, captured: CapturedCounters) -> str:
    with pytest.raises(SnapshotUnusable) as raised:
        ActivityCounters.restore(captured, table, store)
    return str(raised.value)


def test_what_does_not_fit_is_not_gone_on_from(
    store: EmbeddedEvents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = build_items(tmp_path)
    captured = count(table, store).capture()
    other = EmbeddedEvents(tmp_path / "other")
    other.append(build_history()[::-1])
    shorter = EmbeddedEvents(tmp_path / "shorter")
    shorter.append(build_history(5 * BATCH))
    for events in (other, shorter):
        assert "does not have the events" in reject(events, table, captured)
    assert "no longer in the catalogue" in reject(store, build_items(tmp_path, ITEMS[:2]), captured)
    assert "durations" in reject(store, build_items(tmp_path / "edited", duration_s=60), captured)
    store.withdraw(["e3"])
    assert "withdrawn" in reject(store, table, captured)
    monkeypatch.setattr(activity_counters, "COUNTING_RULES", "other rules")
    assert "another build" in reject(store, table, captured)


def test_a_damaged_file_is_not_read(store: EmbeddedEvents, tmp_path: Path) -> None:
    path = tmp_path / "counters"
    write_snapshot(path, count(build_items(tmp_path), store).capture())
    content, rng = path.read_bytes(), np.random.default_rng(0)
    damaged = [content[: len(content) // 2], b"", b"[]\n", content + b"x"]
    for position in rng.integers(len(content), size=40).tolist():
        changed = bytearray(content)
        changed[position] ^= 1
        damaged.append(bytes(changed))
    for each in damaged:
        path.write_bytes(each)
        with pytest.raises(SnapshotUnusable):
            read_snapshot(path)
    with capture_logs() as logs:
        assert CounterSnapshots(path).open(build_items(tmp_path / "t"), store).counted == 0
    assert [line["log_level"] for line in logs] == ["warning"]
    assert path.stat().st_mode & 0o077 == 0 or path.read_bytes() == damaged[-1]


def test_a_release_without_newer_items_is_no_warning(store: EmbeddedEvents, tmp_path: Path) -> None:
    write_snapshot(tmp_path / "counters", count(build_items(tmp_path), store).capture())
    on_trial = build_items(tmp_path / "older", ITEMS[:2])
    with capture_logs() as logs:
        assert CounterSnapshots(tmp_path / "counters").open(on_trial, store).counted == 0
    assert [line["log_level"] for line in logs] == ["info"]


def test_a_snapshot_is_saved_after_enough_events(
    store: EmbeddedEvents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_snapshots, "MIN_NEW_EVENTS", 40)
    table, snapshots = build_items(tmp_path), CounterSnapshots(tmp_path / "counters" / "activity")
    counters = snapshots.open(table, store)
    snapshots.save_if_due(counters)
    assert not snapshots.path.exists()
    counters.poll(store)
    snapshots.save_if_due(counters)
    assert snapshots.path.stat().st_mode & 0o077 == 0
    written = snapshots.path.read_bytes()
    CounterSnapshots(snapshots.path).save_if_due(counters)  # another worker: this one is young enough
    assert snapshots.path.read_bytes() == written
    assert CounterSnapshots(snapshots.path).open(table, store).counted == 6 * BATCH


def test_a_directory_that_cannot_be_written_is_no_failure(
    store: EmbeddedEvents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter_snapshots, "MIN_NEW_EVENTS", 1)
    (tmp_path / "file").write_text("")
    CounterSnapshots(tmp_path / "file" / "activity").save_if_due(count(build_items(tmp_path), store))


def test_a_worker_goes_on_from_the_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_snapshots, "MIN_NEW_EVENTS", 1)
    parts = build_project(tmp_path, datetime(2026, 11, 20, tzinfo=UTC))
    first = warm_service(parts)
    counted: list[Any] = []
    monkeypatch.setattr(activity_counters, "count_events", lambda *args: counted.append(args))
    second = warm_service(parts)
    assert counted == []
    assert second.refresher.state.activity.counted == first.refresher.state.activity.counted > 0

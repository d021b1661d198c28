"""Events of a wrong clock: named by the doctor, selected, withdrawn, and forgotten by the counters."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.diagnostics.event_checks import find_event_problems
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.jobs.history import read_history
from reelrank.app.jobs.withdrawal import (
    EventSelection,
    TimeRange,
    count_by_day,
    select_events,
    withdraw_events,
)
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import MAX_TIME_MS, Event
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.sample_project import build_project

DAY_MS = 86_400_000
START_MS = 20_000 * DAY_MS


def get_now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def build_watch(event_id: str, at_ms: int, received_ms: int | None = None, user: str = "ada") -> Event:
    return Event(event_id, "watch", user, at_ms, "sea1", 9, 10, received_ms=received_ms)


@pytest.fixture
def events(tmp_path: Path) -> EmbeddedEvents:
    store = EmbeddedEvents(tmp_path)
    store.append(
        [
            build_watch("a", START_MS, START_MS + 5),
            build_watch("b", START_MS + DAY_MS, START_MS + DAY_MS + 5, "simulated-0-1"),
            build_watch("c", START_MS + DAY_MS + 1, START_MS + 9 * DAY_MS, "simulated-0-23"),
            build_watch("loaded", START_MS + DAY_MS + 2),
            Event("shown", "impression", "ada", START_MS + 2 * DAY_MS, "sea2"),
            build_watch("far", MAX_TIME_MS - 1),
        ]
    )
    return store


DAY_1 = TimeRange(START_MS + DAY_MS, START_MS + 2 * DAY_MS)


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        (EventSelection(), ["a", "b", "c", "loaded", "shown", "far"]),
        (EventSelection(DAY_1), ["b", "c", "loaded"]),
        (EventSelection(received=TimeRange(START_MS + DAY_MS)), ["b", "c"]),
        (EventSelection(received=TimeRange(None, START_MS + 9 * DAY_MS)), ["a", "b"]),
        (EventSelection(DAY_1, TimeRange(None, START_MS + 9 * DAY_MS)), ["b"]),
        (EventSelection(user="ada"), ["a", "loaded", "shown", "far"]),
        (EventSelection(user="simulated-0-*"), ["b", "c"]),
        (EventSelection(user="simulated-?-?"), ["b"]),
        (EventSelection(user="simulated.0.1"), []),
        (EventSelection(kinds=("impression",)), ["shown"]),
        (EventSelection(TimeRange(START_MS + 3 * DAY_MS), kinds=("watch", "like")), ["far"]),
    ],
)
def test_a_selection_is_what_fulfils_all_conditions(
    events: EmbeddedEvents, selection: EventSelection, ids: list[str]
) -> None:
    assert select_events(events, selection)["id"].to_pylist() == ids


def test_days_are_counted_by_kind_also_those_of_no_calendar(events: EmbeddedEvents) -> None:
    counts = count_by_day(select_events(events, EventSelection()))
    assert list(counts.values()) == [{"watch": 1}, {"watch": 3}, {"impression": 1}, {"watch": 1}]
    assert list(counts)[:2] == ["2024-10-04", "2024-10-05"]


def test_a_withdrawal_removes_the_selected_events_only(events: EmbeddedEvents) -> None:
    found = select_events(events, EventSelection(user="simulated-*"))
    assert withdraw_events(events, found, ignore_progress) == 2
    assert withdraw_events(events, found, ignore_progress) == 0
    assert events.count() == 4


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Container]:
    parts = build_project(tmp_path / "data", datetime.now(UTC))
    yield parts
    parts.engine.close()


def append_watches_of_next_year(parts: Container, item: str = "sea3", count: int = 300) -> None:
    at_ms = get_now_ms() + 365 * DAY_MS
    watches = [
        Event(f"wrong{n}", "watch", "clock", at_ms, item, 9, 10, received_ms=at_ms) for n in range(count)
    ]
    parts.events.append(watches)


def test_the_counters_of_a_service_forget_withdrawn_events(parts: Container) -> None:
    service = warm_service(parts)
    counters = service.refresher.state.activity
    now_ms, busiest = counters.popularity.now_ms, counters.list_busiest_viewers(3)
    append_watches_of_next_year(parts)
    service.refresher.refresh()
    assert service.refresher.state.activity is counters
    assert counters.list_busiest_viewers(1) == [("clock", 300)]
    assert counters.popularity.now_ms > now_ms + 300 * DAY_MS
    found = select_events(parts.events, EventSelection(TimeRange(get_now_ms() + DAY_MS)))
    assert withdraw_events(parts.events, found, ignore_progress) == 300
    service.refresher.refresh()
    counters = service.refresher.state.activity
    assert (counters.popularity.now_ms, counters.list_busiest_viewers(3)) == (now_ms, busiest)
    service.refresher.refresh()
    assert service.refresher.state.activity is counters


def run(parts: Container, *options: str, answer: str = "") -> Any:
    environment = {"REELRANK_DATA_DIR": str(parts.settings.data_dir)}
    return CliRunner().invoke(app, ["events", "withdraw", *options], input=answer, env=environment)


def test_the_doctor_names_events_of_the_future_and_a_command_that_finds_them(parts: Container) -> None:
    version = parts.engine.serving_version()
    assert find_event_problems(parts, version, {}) == []
    append_watches_of_next_year(parts)
    (problem,) = find_event_problems(parts, version, {})
    assert "300 events are of the future, such as wrong0 (watch of sea3 at " in problem
    command = problem.partition("run: reelrank events withdraw ")[2].split()
    counted = run(parts, *command)
    assert "300 events selected" in counted.output
    assert parts.events.count() == 240 + 300
    assert run(parts, *command[:-1], answer="n\n").exit_code == 1
    assert parts.events.count() == 540
    done = run(parts, *command[:-1], "--yes")
    assert "300 events withdrawn" in done.output
    assert parts.events.count() == 240


def test_a_withdrawal_needs_a_condition(parts: Container) -> None:
    for options in (["--yes"], ["--kind", "sneeze", "--yes"], ["--kind", "watch", "--json"]):
        assert run(parts, *options).exit_code == 2
    assert parts.events.count() == 240


def append_unknown_watches(parts: Container, count: int) -> None:
    now_ms = get_now_ms()
    parts.events.append(
        [Event(f"x{n}", "watch", f"u{n % 40}", now_ms - n, f"nosuch{n % 7}", 9, 10) for n in range(count)]
    )


def test_the_doctor_counts_unknown_items_and_complains_of_many(parts: Container) -> None:
    version = parts.engine.serving_version()
    status: dict[str, object] = {}
    append_unknown_watches(parts, 7)
    assert find_event_problems(parts, version, status) == []
    assert str(status["unknown items"]).startswith(
        "7 of 247 events are of 7 items that the catalogue does not"
    )
    append_unknown_watches(parts, 600)
    (problem,) = find_event_problems(parts, version, status)
    assert problem.startswith("600 of 840 events are of 7 items")
    assert "such as nosuch0, nosuch1, nosuch2" in problem


def test_training_says_when_nearly_all_watches_are_of_unknown_items(parts: Container) -> None:
    known = pa.Table.from_batches(list(parts.events.scan(0, MAX_TIME_MS)))["id"].to_pylist()
    parts.events.withdraw(known[:200])
    append_unknown_watches(parts, 600)
    with raises_code(NotFound, "too_few_watches", "600 of 640 events are of 7 items"):
        read_history(parts)


def test_a_load_of_events_names_items_that_no_catalogue_holds(parts: Container, tmp_path: Path) -> None:
    file = tmp_path / "watches.jsonl"
    rows = [
        {"user": f"v{n}", "item": "sea1" if n % 3 else f"gone{n}", "at_ms": START_MS + n, "kind": "watch"}
        for n in range(9)
    ]
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    environment = {"REELRANK_DATA_DIR": str(parts.settings.data_dir)}
    for options in (["--dry-run"], []):
        result = CliRunner().invoke(app, ["load", "events", str(file), *options], env=environment)
        assert result.exit_code == 0, result.output
        text = " ".join(result.output.split())
        assert "note: 3 of 9 events are of 3 items that the catalogue does not hold" in text
        assert "such as gone0, gone3, gone6;" in text

"""Loading event files: UBI records as they are, other rows by their columns, each event once."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import make_item_id
from reelrank.loaders.events.column_names import EVENT_COLUMNS
from reelrank.loaders.events.event_files import EventLoad, check_event_files, load_event_files
from reelrank.loaders.events.event_rows import parse_event
from reelrank.loaders.fields.field_map import FieldRules, parse_field_pairs
from reelrank.loaders.files.source import open_source_files
from reelrank.loaders.items.catalogue import LoadOptions, LoadRejected
from tests.raised import raises_code

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
OPTIONS = LoadOptions(created_at=NOON)
NOON_MS = round(NOON.timestamp() * 1000)
UBI: dict[str, Any] = {
    "action_name": "watch",
    "user_id": "ada",
    "client_id": "browser-7",
    "query_id": "q1",
    "timestamp": "2026-11-24T12:00:00Z",
    "event_attributes": {
        "object": {"object_id": "alien", "object_id_field": "id"},
        "position": {"ordinal": 3},
        "watched_ms": 60_000,
        "duration_ms": 100_000,
        "device": "tv",
    },
}


def build_ubi_row(**fields: Any) -> dict[str, Any]:
    return {**UBI, **fields}


def decode_event(row: dict[str, Any], row_number: str = "") -> Event:
    return parse_event(row, NOON, row_number)


def open_load(path: Path, rules: FieldRules | None = None) -> EventLoad:
    with open_source_files(str(path), None) as (files, _):
        return EventLoad(
            files,
            rules or FieldRules(EVENT_COLUMNS),
            path.parent / "rejects.jsonl",
            OPTIONS,
        )


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return path


def test_an_exported_impression_is_loaded_with_every_field(tmp_path: Path) -> None:
    common: dict[str, Any] = {
        "kind": "impression",
        "user": "ada",
        "at_ms": NOON_MS,
        "item": "alien",
        "request_id": "r1",
    }
    slot = {"position": 10, "degraded": "bm25", "propensity": 0.25, "came_from": 31}
    later = {
        "surface": "home",
        "session": "s1",
        "model": "m1",
        "received_ms": NOON_MS + 5,
        "started_ms": NOON_MS,
    }
    explored = {**common, **slot, **later, "id": "e1"}
    store = EmbeddedEvents(tmp_path)
    load_event_files(
        open_load(write_lines(tmp_path / "shown.jsonl", [explored, {**common, "id": "e2"}])), store
    )
    assert store.recent("ada", 10, 1.0)[::-1] == [Event(**explored), Event(**common, id="e2")]
    assert parse_event(explored, NOON) == Event(**explored)


def test_a_ubi_event_is_read_as_it_is() -> None:
    event = decode_event(build_ubi_row(event_attributes={**UBI["event_attributes"], "event_id": "e1"}))
    assert event == Event(
        "e1", "watch", "ada", NOON_MS, "alien", 60_000, 100_000, "q1", position=2, device="tv"
    )


def test_a_ubi_event_without_a_user_is_of_its_client() -> None:
    event = decode_event(build_ubi_row(user_id=None, timestamp=NOON_MS))
    assert (event.user, event.at_ms) == ("browser-7", NOON_MS)


def test_a_ubi_query_is_a_search() -> None:
    event = decode_event({"query_id": "q1", "user_query": "space", "client_id": "c", "timestamp": NOON_MS})
    assert (event.kind, event.text, event.item) == ("search", "space", "")


def test_a_ubi_event_may_state_a_session_and_that_a_card_was_viewed() -> None:
    event = decode_event(build_ubi_row(action_name="viewed", session_id=7))
    assert (event.kind, event.session) == ("viewed", "7")
    assert decode_event(build_ubi_row(session_id=None)).session == ""


def test_ids_of_content_are_those_of_earlier_versions(tmp_path: Path) -> None:
    """The ids were computed before event schema version 4; other ones would double a history loaded again."""
    row = {"kind": "watch", "user": "ada", "item": "alien", "watched_ms": 5}
    ubi = {"action_name": "watch", "user_id": "ada", "timestamp": "2026-11-24T12:00:00Z",
           "event_attributes": {"object": {"object_id": "alien"}}}  # fmt: skip
    path, store = tmp_path / "watches.csv", EmbeddedEvents(tmp_path)
    path.write_text(
        "userId,movieId,ts,watched_s,rank,degraded,model\n7,alien,2026-11-24T12:00:00Z,60,3,bm25,m1\n"
    )
    load_event_files(open_load(path, FieldRules(EVENT_COLUMNS, constants={"kind": "watch"})), store)
    (loaded,) = store.recent("7", 5, 1.0)
    assert (loaded.model, loaded.id) == ("m1", "60b562e921d825a293d336eecd3c70c9")
    assert decode_event(row, "7").id == "a440d6b392e0cf7bf988ae50aa0e672d"
    assert decode_event(ubi, "7").id == "42c91621dd85515d6af1725c04d41845"


BAD_VALUES: dict[str, dict[str, Any]] = {
    "surface": {"kind": "watch", "user": "ada", "item": "alien", "at_ms": NOON_MS, "surface": "kitchen"},
    "watched_ms": {"kind": "watch", "user": "ada", "item": "alien", "at_ms": NOON_MS, "watched_ms": "long"},
    "duration_ms": {**UBI, "event_attributes": {**UBI["event_attributes"], "duration_ms": "long"}},
    "device": {**UBI, "event_attributes": {**UBI["event_attributes"], "device": 7}},
}


@pytest.mark.parametrize("field", BAD_VALUES)
def test_an_unreadable_optional_value_is_left_out_of_files(tmp_path: Path, field: str) -> None:
    path = write_lines(tmp_path / "e.jsonl", [BAD_VALUES[field]])
    load, store = open_load(path), EmbeddedEvents(tmp_path)
    report = load_event_files(load, store)
    assert (report.read, report.written, report.ignored[field].ignored) == (1, 1, 1)
    assert report.ignored[field].first_ignored.startswith("row 1: ")
    (event,) = store.recent("ada", 5, 1.0)
    assert (event.item, getattr(event, field) in ("", None)) == ("alien", True)
    with raises_code(LoadRejected, "too_many_rejects"):
        check_event_files(replace(load, rules=FieldRules(EVENT_COLUMNS, is_strict=True)))
    with pytest.raises(ValueError, match=field):
        decode_event(BAD_VALUES[field])


def test_unknown_actions_are_counted_and_the_others_are_loaded(tmp_path: Path) -> None:
    rows = [UBI, build_ubi_row(action_name="scroll", event_attributes={}), build_ubi_row(action_name="hover")]
    store = EmbeddedEvents(tmp_path)
    load = open_load(write_lines(tmp_path / "e.jsonl", [*rows, build_ubi_row(action_name="scroll")]))
    report = load_event_files(load, store)
    assert (report.read, report.written, report.rejected, store.count()) == (4, 1, 3, 1)
    assert report.unknown_actions == {"scroll": 2, "hover": 1}
    assert len(load.rejects.read_bytes().splitlines()) == 3
    with raises_code(LoadRejected, "too_many_rejects"):
        load_event_files(replace(load, rules=FieldRules(EVENT_COLUMNS, is_strict=True)), store)
    with raises_code(LoadRejected, "too_many_rejects"):
        load_event_files(open_load(write_lines(tmp_path / "e.jsonl", [rows[1], rows[1]])), store)


def test_a_refusal_names_a_row_that_counts_not_an_unknown_action(tmp_path: Path) -> None:
    late = build_ubi_row(timestamp="2099-01-01T00:00:00Z")
    rows = [UBI, build_ubi_row(action_name="scroll"), late]
    load = replace(open_load(write_lines(tmp_path / "e.jsonl", rows)), latest_ms=4_000_000_000_000)
    with pytest.raises(LoadRejected, match="First rejected row: row 3: at_ms"):
        check_event_files(load)


@pytest.mark.parametrize("name", ["e.jsonl", "e.csv"])
def test_items_of_events_have_the_ids_of_the_catalogue(tmp_path: Path, name: str) -> None:
    url = "https://films.example/a film"
    row = build_ubi_row(event_attributes={"object": {"object_id": url}})
    if name.endswith("csv"):
        (tmp_path / name).write_text(f"kind,user,item,at_ms\nwatch,ada,{url},{NOON_MS}\n")
    else:
        write_lines(tmp_path / name, [row])
    store = EmbeddedEvents(tmp_path)
    load_event_files(open_load(tmp_path / name), store)
    assert [event.item for event in store.recent("ada", 5, 1.0)] == [make_item_id(url)]


def test_an_event_without_an_id_gets_one_of_its_content_and_row_number() -> None:
    first, again = decode_event(UBI, "7"), decode_event(UBI, "7")
    assert first.id == again.id
    assert len({first.id, decode_event(UBI, "8").id, decode_event(build_ubi_row(user_id="bob"), "7").id}) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action_name": "dance"}, "action_name: 'dance' is unknown"),
        ({"user_id": "", "client_id": None}, "user: String should have at least 1 character"),
        ({"timestamp": "yesterday"}, "timestamp: Input should be a valid datetime"),
        ({"timestamp": None}, "timestamp: Field required"),
        ({"event_attributes": {}}, "item: a watch names an item"),
        ({"event_attributes": {"object": {"object_id": "a b"}}}, "item: String should match"),
        (
            {"event_attributes": {"object": {"object_id": "a"}, "watched_ms": -1}},
            "event_attributes.watched_ms: Input should be greater",
        ),
        ({"event_attributes": "text"}, "event_attributes: Input should be a valid dictionary"),
    ],
)
def test_an_error_of_a_ubi_event_names_the_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_event(build_ubi_row(**changes))


def test_ubi_records_are_stored_once_however_often_they_are_loaded(tmp_path: Path) -> None:
    store = EmbeddedEvents(tmp_path)
    path = write_lines(
        tmp_path / "events.jsonl",
        [build_ubi_row(event_attributes=UBI["event_attributes"]), UBI, build_ubi_row(user_id="b")],
    )
    first = load_event_files(open_load(path), store)
    again = load_event_files(open_load(path), store)
    assert (first.read, first.written, first.kept) == (3, 3, 3)
    assert (again.read, again.written, again.kept) == (3, 3, 0)
    assert store.count() == 3


def test_a_moved_or_longer_file_does_not_double_its_events(tmp_path: Path) -> None:
    store = EmbeddedEvents(tmp_path)
    load_event_files(open_load(write_lines(tmp_path / "a.jsonl", [UBI])), store)
    load_event_files(open_load(write_lines(tmp_path / "b.jsonl", [UBI, build_ubi_row(user_id="bob")])), store)
    assert store.count() == 2


def test_rows_of_a_table_become_events_by_their_columns(tmp_path: Path) -> None:
    path = tmp_path / "watches.csv"
    path.write_text("userId,movieId,ts,seconds,runtime_min\n7,alien,2026-11-24T12:00:00Z,60,90\n")
    pairs = parse_field_pairs(["watched_ms=seconds"])
    store = EmbeddedEvents(tmp_path)
    load_event_files(open_load(path, FieldRules(EVENT_COLUMNS, pairs, constants={"kind": "watch"})), store)
    event = store.recent("7", 5, 1.0)[0]
    assert (event.kind, event.item, event.watched_ms, event.duration_ms) == (
        "watch",
        "alien",
        60_000,
        5_400_000,
    )
    assert event.at_ms == NOON_MS


def test_a_load_with_too_many_rejects_stores_nothing(tmp_path: Path) -> None:
    store = EmbeddedEvents(tmp_path)
    load = open_load(write_lines(tmp_path / "e.jsonl", [*[UBI] * 9, build_ubi_row(timestamp="yesterday")]))
    with raises_code(LoadRejected, "too_many_rejects", match=r"1 of 10 .* row 10: timestamp: "):
        load_event_files(load, store)
    assert store.count() == 0
    assert orjson.loads(load.rejects.read_bytes())["record"]["timestamp"] == "yesterday"


def test_a_dry_run_stores_nothing(tmp_path: Path) -> None:
    report = check_event_files(open_load(write_lines(tmp_path / "e.jsonl", [UBI] * 3)))
    assert (report.read, report.written, report.rejected) == (3, 3, 0)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00"])
def test_a_time_before_1970_is_refused_in_any_form(at: str) -> None:
    with pytest.raises(ValueError, match="between the years 1970 and 9999"):
        parse_event({"kind": "watch", "user": "u", "item": "a", "at": at}, NOON)


@pytest.mark.parametrize("field", ["watched_ms", "duration_ms", "position", "at_ms"])
def test_true_is_no_number(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}.*send a number"):
        parse_event({"kind": "watch", "user": "u", "item": "a", field: True}, NOON)

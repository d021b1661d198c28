"""The embedded event store keeps events for as long as its setting says."""

from datetime import timedelta
from pathlib import Path

from reelrank.app.clock import SYSTEM_CLOCK, to_ms
from reelrank.app.engines.embedded.store.events import EXPIRED_PER_APPEND, EmbeddedEvents
from reelrank.index_mappings.event import Event

NOW = SYSTEM_CLOCK.now()


def build_events(
    prefix: str, days_ago: float, count: int = 1, received_days_ago: float | None = None
) -> list[Event]:
    received = None if received_days_ago is None else to_ms(NOW - timedelta(days=received_days_ago))
    at_ms = to_ms(NOW - timedelta(days=days_ago))
    return [
        Event(f"{prefix}{number}", "click", "ada", at_ms, "film", received_ms=received)
        for number in range(count)
    ]


def list_ids(store: EmbeddedEvents) -> list[str]:
    return [event.id for event in store.recent("ada", 10, 1.0)]


def test_expired_events_go_with_the_next_appends(tmp_path: Path) -> None:
    EmbeddedEvents(tmp_path).append(build_events("old", 31, EXPIRED_PER_APPEND + 5) + build_events("new", 29))
    store = EmbeddedEvents(tmp_path, 30)
    store.append(build_events("first", 0))
    assert store.count() == 7
    store.append(build_events("second", 0))
    assert list_ids(store) == ["second0", "first0", "new0"]


def test_an_event_that_came_late_is_kept_from_when_it_came(tmp_path: Path) -> None:
    store = EmbeddedEvents(tmp_path, 30)
    store.append(build_events("late", 31, received_days_ago=1))
    store.append(build_events("new", 0))
    assert list_ids(store) == ["new0", "late0"]


def test_events_after_a_position_are_followed_when_earlier_ones_expire(tmp_path: Path) -> None:
    EmbeddedEvents(tmp_path).append(build_events("old", 31, 3))
    _, position = EmbeddedEvents(tmp_path).follow(None)
    store = EmbeddedEvents(tmp_path, 30)
    store.append(build_events("new", 0))
    batch, _ = store.follow(position)
    assert batch["id"].to_pylist() == ["new0"]


def test_without_the_setting_everything_is_kept(tmp_path: Path) -> None:
    store = EmbeddedEvents(tmp_path)
    store.append(build_events("old", 10_000))
    store.append(build_events("new", 0))
    assert store.count() == 2

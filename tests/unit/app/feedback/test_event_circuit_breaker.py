"""The circuit breaker of event writes: opens when the store is away and closes when it is back."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.feedback.event_circuit_breaker import EventCircuitBreaker
from reelrank.index_mappings.errors import EngineError, Timeout, Unavailable
from reelrank.index_mappings.event import EVENT_KINDS, Event, EventKind
from reelrank.index_mappings.event_store import AppendReport
from tests.raised import raises_code
from tests.servers.node import wait_until

WATCH = [Event("1", "watch", "ada", 5, "alien")]


class UnavailableEvents(EmbeddedEvents):
    """Of an engine that does not answer for a while, and then reads before it writes."""

    reads = writes = False
    tried = 0

    def append(self, events: Sequence[Event], timeout_s: float | None = None) -> AppendReport:
        self.tried += 1
        if not self.writes:
            raise Timeout("no answer in time")
        return super().append(events, timeout_s)

    def recent(
        self, user_id: str, limit: int, timeout_s: float, kinds: Sequence[EventKind] = EVENT_KINDS
    ) -> list[Event]:
        if not self.reads:
            raise Unavailable("away")
        return super().recent(user_id, limit, timeout_s, kinds)


@pytest.fixture
def store(tmp_path: Path) -> UnavailableEvents:
    return UnavailableEvents(tmp_path)


def append_and_catch(intake: EventCircuitBreaker) -> type[EngineError] | None:
    try:
        intake.append(WATCH)
    except EngineError as error:
        return type(error)
    return None


def test_after_a_failure_events_are_rejected_at_once_with_the_reason(
    store: UnavailableEvents,
) -> None:
    intake = EventCircuitBreaker(store)
    assert [append_and_catch(intake) for _ in range(4)] == [Timeout, Unavailable, Unavailable, Unavailable]
    assert store.tried == 1
    with raises_code(Unavailable, "events_paused"):
        intake.append(WATCH)
    store.reads = store.writes = True
    assert wait_until(lambda: append_and_catch(intake) is None)
    assert [append_and_catch(intake) for _ in range(4)] == [None] * 4
    assert store.count() == 1


def test_the_intake_stamps_when_it_received_an_event(store: UnavailableEvents) -> None:
    store.reads = store.writes = True
    before = round(time.time() * 1000)
    EventCircuitBreaker(store).append([replace(WATCH[0], received_ms=1)])
    (event,) = store.recent("ada", 1, 1.0)
    assert event.received_ms is not None
    assert before <= event.received_ms <= round(time.time() * 1000)
    assert replace(event, received_ms=None) == WATCH[0]


def test_one_request_at_a_time_tries_a_store_that_cannot_write(store: UnavailableEvents) -> None:
    intake, store.reads = EventCircuitBreaker(store), True
    assert append_and_catch(intake) is Timeout
    assert wait_until(lambda: append_and_catch(intake) is Timeout)
    assert [append_and_catch(intake), append_and_catch(intake)].count(Unavailable) >= 1
    store.writes = True
    assert wait_until(lambda: append_and_catch(intake) is None)

"""Events of viewers while their store is away: refused in time, by one who tries and all others at once."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.engines.embedded.events import EmbeddedEvents
from app.search.intake import Intake
from index_mappings.engine import AppendReport
from index_mappings.errors import Timeout, Unavailable
from index_mappings.event import Event

WATCH = [Event("1", "watch", "ada", 5, "alien")]


class SlowEvents(EmbeddedEvents):
    """Of an engine that does not answer until it is let go."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.asked, self.let_go = threading.Semaphore(0), threading.Event()
        self.is_back = False

    def append(self, events: Sequence[Event], timeout_s: float | None = None) -> AppendReport:
        self.asked.release()
        self.let_go.wait(timeout_s)
        if not self.is_back:
            raise Timeout("no answer in time")
        return super().append(events, timeout_s)


def test_while_one_tries_the_others_are_refused_at_once_and_all_are_taken_in_when_it_is_back(
    tmp_path: Path,
) -> None:
    store = SlowEvents(tmp_path)
    intake = Intake(store)
    store.let_go.set()
    with pytest.raises(Timeout):
        intake.append(WATCH)
    store.asked.acquire()
    store.let_go.clear()
    taken = list[AppendReport]()
    trying = threading.Thread(target=lambda: taken.append(intake.append(WATCH)))
    trying.start()
    store.asked.acquire()
    with pytest.raises(Unavailable, match="no answer in time"):
        intake.append(WATCH)
    store.is_back = True
    store.let_go.set()
    trying.join()
    assert taken == [AppendReport(1, 0)]
    assert intake.append(WATCH) == AppendReport(0, 1)

"""The dashboard log: lines of pages, shown items and interactions; losses are counted."""

import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from reelrank.app.feedback.dashboard_log import MAX_INTERACTIONS, MAX_PAGES, DashboardLog, DashboardStreams
from reelrank.app.feedback.impression_log import Impression
from reelrank.app.feedback.request_summary import Summary
from reelrank.app.search.page import Hit, Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.errors import Degradation, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.retrieval.fusion import fuse

CANDIDATES = fuse(
    [
        Matches("bm25", encode_item_ids(["a", "b"]), np.array([3, 2], np.float32)),
        Matches("text_knn", encode_item_ids(["a"]), np.array([0.5], np.float32)),
    ]
)


class FakeBoard:
    """A place for lines that is there or away."""

    def __init__(self) -> None:
        self.lines: list[Impression | Summary] = []
        self.is_away = False

    def append(self, lines: Sequence[Impression | Summary]) -> None:
        if self.is_away:
            raise Unavailable("the engine is away")
        self.lines.extend(lines)

    def erase_user(self, users: Sequence[str]) -> int:
        return 0

    def find(self, ids: Sequence[str]) -> Mapping[str, Impression]:
        return {i.id: i for i in self.lines if isinstance(i, Impression) and i.id in ids}


@pytest.fixture
def dropped() -> list[str]:
    return []


@pytest.fixture
def board() -> FakeBoard:
    return FakeBoard()


@pytest.fixture
def log(board: FakeBoard, dropped: list[str]) -> DashboardLog:
    return DashboardLog(DashboardStreams(board, board), dropped.append, str.upper)


def log_page(log: DashboardLog, request_id: str) -> None:
    query = Query(text="sea", user="u")
    scores = np.array([0.3, 0.2], np.float32)
    hits = (
        Hit(Item("a", "A"), 0.3, 0, {"bm25": 0, "text_knn": 0}),
        Hit(Item("b", "B"), 0.2, 1, {"bm25": 1}),
    )
    late = (Degradation("bm25", "timeout", "no answer within 80 ms"),)
    stages = {"fuse": 0.002, "source bm25": 1}
    page = Page(request_id, hits, "m", "v", late, 2, timings=stages)
    log.record_page(ResultList(request_id, query, CANDIDATES, scores, "m", "v", late), page)


def test_a_page_and_each_shown_item_are_lines(log: DashboardLog, board: FakeBoard) -> None:
    log.start()
    log_page(log, "r1")
    log.close()
    (summary,) = [line for line in board.lines if isinstance(line, Summary)]
    assert (summary.id, summary.model, summary.degraded, summary.took_ms) == ("r1-0", "m", ("bm25",), 2.0)
    assert (summary.kind, summary.candidates, summary.hits) == ("search", 2, 2)
    first, second = [line for line in board.lines if isinstance(line, Impression)]
    assert (first.id, first.kind, first.item, first.page) == ("r1-0", "impression", "a", "search")
    assert (first.model, first.sources, first.score) == ("m", ("bm25", "text_knn"), 0.3)
    assert (second.position, second.sources, second.degraded) == (1, ("bm25",), ("bm25",))


def test_an_interaction_is_a_line_with_its_impression(log: DashboardLog, board: FakeBoard) -> None:
    log.start()
    log_page(log, "r1")
    watch = Event("w", "watch", "u", 5, "b", 60_000, 90_000, request_id="r1", position=1)
    log.record_interactions([watch])
    log.close()
    line = board.lines[-1]
    assert isinstance(line, Impression)
    assert (line.id, line.kind, line.at_ms, line.watched_ms) == ("w", "watch", 5, 60_000)
    assert (line.item, line.position, line.model, line.sources) == ("b", 1, "m", ("bm25",))


def test_an_interaction_without_an_impression_is_skipped(
    log: DashboardLog, board: FakeBoard, dropped: list[str]
) -> None:
    log.start()
    log.record_interactions(
        [Event("1", "watch", "u", 5, "b"), Event("2", "like", "u", 5, "b", request_id="r9", position=0)]
    )
    log.close()
    assert board.lines == []
    assert dropped == []


def test_viewed_events_are_not_queued(log: DashboardLog, board: FakeBoard, dropped: list[str]) -> None:
    log_page(log, "r1")
    page = {"request_id": "r1", "position": 1}
    viewed = [Event(f"v{n}", "viewed", "u", 5, "b", **page) for n in range(MAX_INTERACTIONS + 1)]  # type: ignore[arg-type]  # one dict of both types
    log.record_interactions([*viewed, Event("c", "click", "u", 6, "b", **page)])  # type: ignore[arg-type]
    log.start()
    log.close()
    assert [line.id for line in board.lines if isinstance(line, Impression)] == ["r1-0", "r1-1", "c"]
    assert dropped == []


def test_rejected_lines_are_counted_and_others_written(
    log: DashboardLog, board: FakeBoard, dropped: list[str]
) -> None:
    board.is_away = True
    log.start()
    log_page(log, "r1")
    until = time.monotonic() + 20
    while not dropped and time.monotonic() < until:
        time.sleep(0.05)
    board.is_away = False
    log_page(log, "r2")
    log.close()
    assert dropped == ["not on dashboards"]
    assert {line.request_id for line in board.lines} == {"r2"}


def test_lines_that_a_stop_does_not_wait_for_are_counted(
    log: DashboardLog, board: FakeBoard, dropped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_there = threading.Event()
    monkeypatch.setattr(board, "append", lambda lines: is_there.wait(10))
    log.start()
    log_page(log, "r1")
    log.close(0.05)
    is_there.set()
    assert dropped == ["not on dashboards"]


def test_a_full_queue_drops_and_counts_without_waiting(log: DashboardLog, dropped: list[str]) -> None:
    for number in range(MAX_PAGES + 2):
        log_page(log, str(number))
    assert dropped == ["not on dashboards"] * 2

"""The page from which an item was watched, by request and without one."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from reelrank.index_mappings.event import EVENT_SCHEMA, MINUTE_MS, Event
from reelrank.ranking.labels.opened_pages import OpenedPages
from reelrank.ranking.training.past_requests import BacktestOptions, sample_requests
from reelrank.ranking.viewers.histories import Histories


def show(item: str, minute: int, request_id: str = "") -> Event:
    at_ms = minute * MINUTE_MS
    return Event(f"i-{item}-{minute}", "impression", "u", at_ms, item, request_id=request_id, device="tv")


def watch(
    item: str, minute: int, request_id: str = "", watched_ms: int = 60_000, started_ms: int | None = None
) -> Event:
    name, at_ms = f"w-{item}-{minute}", minute * MINUTE_MS
    return Event(name, "watch", "u", at_ms, item, watched_ms, watched_ms, request_id, started_ms=started_ms)


@pytest.mark.parametrize(
    ("watched", "minute"),
    [
        (watch("a", 30, "one"), 10),
        (watch("a", 30, "unknown"), 21),
        (watch("a", 25), 21),
        (watch("a", 200, watched_ms=176 * MINUTE_MS), 21),
        (watch("a", 200, started_ms=12 * MINUTE_MS), 10),
        (watch("a", 60), None),
        (watch("a", 5), None),
        (watch("b", 12), None),
        (watch("a", 9, "one"), None),
    ],
)
def test_a_watch_has_the_page_of_its_request_or_the_latest_that_showed_it(
    watched: Event, minute: int | None
) -> None:
    page = OpenedPages([show("a", 10, "one"), show("a", 21, "two"), watched]).find(watched)
    assert (page and page.at_ms) == (None if minute is None else minute * MINUTE_MS)


def test_a_past_request_is_as_of_its_page_and_one_page_is_one_request() -> None:
    past = [watch(f"old{n}", n) for n in range(5)]
    page = [show("a", 100, "one"), show("b", 100, "one")]
    events = [*past, *page, watch("a", 103, "one"), watch("b", 106, "one"), watch("c", 300)]
    table = pa.Table.from_pylist([asdict(event) for event in events], EVENT_SCHEMA)
    requests = sample_requests(
        Histories(table), (90 * MINUTE_MS, 400 * MINUTE_MS), BacktestOptions(), np.random.default_rng(0)
    )
    found = [(request.context.at_ms // MINUTE_MS, request.context.device) for request in requests]
    assert found == [(100, "tv"), (300, "")]

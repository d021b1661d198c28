"""The ranker learns from searches as people type them, and from real ones where there are any."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from reelrank.app.jobs.history import History
from reelrank.app.jobs.training import collect_judged_requests
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.event import EVENT_SCHEMA, Event
from reelrank.index_mappings.item import Item
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.evaluation.judged_request import REAL_SEARCH
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.training.searches import find_search, simulate_search

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
MINUTE_MS = 60_000
TITLE = "The Good, the Bad and the Ugly"


def watch(item: str, minute: int, request_id: str = "", watched: int = 9) -> Event:
    at_ms = NOW_MS + minute * MINUTE_MS
    return Event(f"w-{item}-{minute}", "watch", "u", at_ms, item, watched, 10, request_id=request_id)


def search(text: str, minute: int, request_id: str = "") -> Event:
    at_ms = NOW_MS + minute * MINUTE_MS
    return Event(f"s-{text}-{minute}", "search", "u", at_ms, text=text, request_id=request_id)


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ([search("alien", 8)], "alien"),
        ([search("heat", 5), search("alien", 9)], "alien"),
        ([search("alien", -1)], None),
        ([search("alien", 5), watch("other", 8)], None),
        ([search("alien", 9, "page-1")], "alien"),
        ([search("alien", 9, "page-2")], None),
        ([search("", 9)], None),
        ([search("alien", 11)], None),
        ([], None),
    ],
)
def test_a_search_leads_to_the_watch_that_follows(before: list[Event], found: str | None) -> None:
    target = watch("alien", 10, "page-1")
    events = sorted([*before, target], key=lambda event: event.at_ms)
    search_found = find_search(events, target)
    assert (search_found.text if search_found else None) == found


def test_titles_are_typed_whole_half_misspelt_and_in_capitals() -> None:
    rng = np.random.default_rng(0)
    typed = Counter(simulate_search(TITLE, rng) for _ in range(2000))
    prefixes = sum(count for text, count in typed.items() if TITLE.startswith(text) and len(text) > 3)
    capitals = sum(count for text, count in typed.items() if text.isupper())
    known = set(TITLE.casefold().split())
    misspelt = sum(n for text, n in typed.items() if len(set(text.casefold().split()) - known) == 1)
    assert typed[TITLE] > 300
    assert prefixes > 500
    assert capitals > 150
    assert misspelt > 100


@pytest.mark.parametrize("title", ["", "  ", "M", "...", "七人の侍", "a b"])
def test_any_title_can_be_typed(title: str) -> None:
    rng = np.random.default_rng(1)
    assert all(bool(simulate_search(title, rng)) == bool(title.strip()) for _ in range(50))


def test_a_real_search_is_judged_by_the_watch_that_followed(tmp_path: Path) -> None:
    films = [Item(f"film{n}", f"Story {n}") for n in range(12)]
    container = build_container(Settings(data_dir=tmp_path))
    load_catalogue(films, container.engine, container.encoder, LoadOptions(created_at=NOW))
    past = [watch(f"film{n}", n - 5000) for n in range(6)]
    again = [search("story 3", 0), watch("film3", 1)]  # it was watched before, and is searched again
    skipped = [search("story 9", 100), watch("film9", 101, watched=0)]
    events = [*past, *again, *skipped]
    columns = {field.name: [getattr(e, field.name) for e in events] for field in EVENT_SCHEMA}
    documents = [
        document
        for batch in container.engine.scan(container.engine.serving_version() or "")
        for document in batch
    ]
    table = pa.Table.from_pydict(columns, EVENT_SCHEMA)
    history = History(container, table, documents, NOW_MS - 1, NOW_MS, NOW_MS + 200 * MINUTE_MS)
    judged = [each for each in collect_judged_requests(history, ignore_progress) if each.kind == REAL_SEARCH]
    assert [(each.request.query.text, each.relevant.tolist()) for each in judged] == [("story 3", [b"film3"])]

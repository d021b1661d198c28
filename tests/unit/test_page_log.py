"""The page log: whole groups of a share of requests, and nothing in anybody's way."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.engines.embedded.events import EmbeddedEvents
from app.search.page import Hit, Page
from app.search.page_log import GROUP_FILE_REQUESTS, MAX_WAITING, PageLog
from app.search.ranked import Ranked
from app.search.writer_thread import FLUSH_S, WriterThread
from index_mappings.engine import AppendReport
from index_mappings.errors import Unavailable
from index_mappings.event import Event
from index_mappings.item import Item
from index_mappings.match import Matches, item_ids
from index_mappings.query import Filters, Query
from ranking.column import shared_column
from ranking.exploration import Draw
from ranking.fusion import fuse
from ranking.signals import Signals

CANDIDATES = fuse(
    [
        Matches("bm25", item_ids(["a", "b", "c"]), np.array([3, 2, 1], np.float32)),
        Matches("text_knn", item_ids(["c"]), np.array([0.5], np.float32)),
    ]
)
SIGNALS = Signals(
    {
        "fused": CANDIDATES.fused,
        "age": np.array([1, np.nan, 3], np.float32),
        "weekday": shared_column(5, len(CANDIDATES)),
    }
)


def ranked(name: str, signals: Signals | None = SIGNALS) -> Ranked:
    query = Query(text="sea", user="u", filters=Filters(genres=("Sea",), year_min=2000))
    scores = np.array([0.3, 0.2, 0.1], np.float32)
    return Ranked(name, query, CANDIDATES, scores, "m", "v", ("bm25: late",), signals)


def page(name: str) -> Page:
    hits = tuple(Hit(Item(item, item), 0.0, place, {}) for place, item in enumerate("ab"))
    return Page(name, hits, "m", "v", ("bm25: late", "items: 1 of 3 shards"), 3)


@pytest.fixture
def dropped() -> list[str]:
    return []


def log_in(directory: Path, share: float, dropped: list[str]) -> tuple[PageLog, EmbeddedEvents]:
    events = EmbeddedEvents(directory / "engine")
    return PageLog(directory / "pages", events, share, dropped.append), events


def test_a_sampled_request_is_kept_whole_with_its_signals(tmp_path: Path, dropped: list[str]) -> None:
    log, events = log_in(tmp_path, 1.0, dropped)
    log.start()
    log.record(ranked("r1"), page("r1"))
    log.close()
    (file,) = (tmp_path / "pages").rglob("*.parquet")
    rows = pq.ParquetFile(file).read().to_pylist()
    assert [row["item"] for row in rows] == [name.decode() for name in CANDIDATES.ids.tolist()]
    assert [row["signal_fused"] for row in rows] == pytest.approx(CANDIDATES.fused.tolist())
    assert [row["signal_weekday"] for row in rows] == [5, 5, 5]
    assert {(row["request_id"], row["user"]) for row in rows} == {("r1", "u")}
    assert {row["degraded"] for row in rows} == {"bm25: late, items: 1 of 3 shards"}
    assert file.parent.name.startswith("date=")
    shown = sorted((event.item, event.degraded) for event in events.recent("u", 10, 1.0))
    assert shown == [("a", "bm25, items"), ("b", "bm25, items")]
    assert dropped == []


def test_a_place_that_was_drawn_is_kept_with_its_chance(tmp_path: Path, dropped: list[str]) -> None:
    log, events = log_in(tmp_path, 1.0, dropped)
    log.start()
    first, second = page("r1").hits
    draw = Draw(1, 2, 0.25)  # b stands where c would have
    log.record(
        replace(ranked("r1"), draws=(draw,)), replace(page("r1"), hits=(first, replace(second, draw=draw)))
    )
    log.close()
    (file,) = (tmp_path / "pages").rglob("*.parquet")
    rows = pq.ParquetFile(file).read().to_pylist()
    assert [(row["propensity"], row["came_from"]) for row in rows] == [(None, None), (0.25, 2), (None, None)]
    shown = sorted((event.item, event.propensity, event.came_from) for event in events.recent("u", 10, 1.0))
    assert shown == [("a", None, None), ("b", 0.25, 2)]


def test_a_share_of_requests_is_sampled_and_every_part_of_a_list_alike(
    tmp_path: Path, dropped: list[str]
) -> None:
    log, _ = log_in(tmp_path, 0.2, dropped)
    names = [f"{number:032x}" for number in range(2000)]
    assert 0.15 < np.mean([log.is_sampled(name) for name in names]) < 0.25
    assert [log.is_sampled(name) for name in names] == [log.is_sampled(name) for name in names]


def test_a_full_queue_drops_aloud_and_waits_for_nobody(tmp_path: Path, dropped: list[str]) -> None:
    log, _ = log_in(tmp_path, 0.0, dropped)
    for number in range(MAX_WAITING + 3):
        log.record(ranked(str(number)), page(str(number)))
    assert dropped == ["the queue is full"] * 3


class AwayEvents(EmbeddedEvents):
    """Of an engine that takes nothing for a while."""

    is_away = True

    def append(self, events: Sequence[Event], timeout_s: float | None = None) -> AppendReport:
        if self.is_away:
            raise Unavailable("the engine is away")
        return super().append(events, timeout_s)


@pytest.fixture
def away(tmp_path: Path) -> AwayEvents:
    return AwayEvents(tmp_path / "engine")


def test_impressions_wait_for_an_engine_that_is_away(
    tmp_path: Path, away: AwayEvents, dropped: list[str]
) -> None:
    log = PageLog(tmp_path / "pages", away, 0.0, dropped.append)
    log.start()
    log.record(ranked("r1"), page("r1"))
    time.sleep(3 * FLUSH_S)
    away.is_away = False
    log.record(ranked("r2"), page("r2"))
    log.close()
    assert {event.request_id for event in away.recent("u", 10, 1.0)} == {"r1", "r2"}
    assert dropped == []


def test_impressions_that_the_engine_did_not_take_to_the_end_are_counted(
    tmp_path: Path, away: AwayEvents, dropped: list[str]
) -> None:
    log = PageLog(tmp_path / "pages", away, 0.0, dropped.append)
    for number in range(MAX_WAITING):
        log.record(ranked(str(number)), page(str(number)))
    log.start()
    log.close()
    assert dropped == ["the engine is away"] * MAX_WAITING


def test_a_kept_list_comes_back_as_it_was() -> None:
    kept = ranked("r1", None)
    back = Ranked.from_bytes(kept.to_bytes())
    assert (back.request_id, back.query, back.model, back.degraded) == (
        "r1", kept.query, "m", ("bm25: late",)
    )  # fmt: skip
    assert back.candidates.ids.tolist() == kept.candidates.ids.tolist()
    assert back.candidates.sources == kept.candidates.sources
    assert np.array_equal(back.candidates.ranks, kept.candidates.ranks)
    assert np.array_equal(back.candidates.scores, kept.candidates.scores, equal_nan=True)
    assert np.array_equal(back.scores, kept.scores)


LONE_SURROGATE = "sea \ud800"


def asked(name: str, **facts: str) -> Ranked:
    return replace(ranked(name), query=replace(ranked(name).query, **facts))  # type: ignore[arg-type]  # texts


def without_candidates(name: str) -> tuple[Ranked, Page]:
    nothing = CANDIDATES.take(np.empty(0, np.intp))
    signals = Signals({name: column[:0] for name, column in SIGNALS.columns.items()})
    empty = replace(ranked(name), candidates=nothing, scores=np.empty(0, np.float32), signals=signals)
    return empty, Page(name, (), "m", "v", (), 0)


def scored(name: str, *scores: float) -> tuple[Ranked, Page]:
    return replace(ranked(name), scores=np.array(scores, np.float32)), page(name)


def unlike(name: str) -> tuple[Ranked, Page]:
    """A group whose columns are none of the others'."""
    return replace(ranked(name), signals=Signals({"new": CANDIDATES.fused.astype(np.float64)})), page(name)


def rows_in(directory: Path) -> list[dict[str, object]]:
    files = sorted((directory / "pages").rglob("*.parquet"))
    return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]


@pytest.mark.parametrize(
    "odd",
    [
        without_candidates("odd"),
        scored("odd", np.nan, np.inf, -np.inf),
        unlike("odd"),
        (asked("odd", text=LONE_SURROGATE), page("odd")),
        (asked("odd", text="x" * 3_000_000), page("odd")),
    ],
    ids=["no candidates", "no finite scores", "other signals", "lone surrogate", "long text"],
)
def test_an_odd_list_is_recorded_among_others(
    tmp_path: Path, dropped: list[str], odd: tuple[Ranked, Page]
) -> None:
    log, events = log_in(tmp_path, 1.0, dropped)
    for one in ((ranked("r1"), page("r1")), odd, (ranked("r2"), page("r2"))):
        log.record(*one)
    log.start()
    log.close()
    with_candidates = {"r1", "r2"} | ({"odd"} if len(odd[0].candidates) else set())
    assert {row["request_id"] for row in rows_in(tmp_path)} == with_candidates
    with_hits = {"r1", "r2"} | ({"odd"} if odd[1].hits else set())
    assert {event.request_id for event in events.recent("u", 10, 1.0)} == with_hits
    assert dropped == []


def test_a_record_that_cannot_be_written_costs_no_other(tmp_path: Path, dropped: list[str]) -> None:
    log, events = log_in(tmp_path, 1.0, dropped)
    for number in range(20):
        log.record(ranked(f"before{number}"), page(f"before{number}"))
    log.record(asked("bad", user=LONE_SURROGATE), page("bad"))
    log.record(ranked("after"), page("after"))
    log.start()
    time.sleep(3 * FLUSH_S)
    log.record(ranked("later"), page("later"))
    log.close()
    good = {"after", "later", *(f"before{number}" for number in range(20))}
    assert {event.request_id for event in events.recent("u", 100, 1.0)} == good
    assert {row["request_id"] for row in rows_in(tmp_path)} == good
    assert dropped == ["UnicodeEncodeError"] * 2  # its impressions and its group


def test_groups_wait_for_a_disk_that_is_away(tmp_path: Path, dropped: list[str]) -> None:
    log, _ = log_in(tmp_path, 1.0, dropped)
    (tmp_path / "pages").write_text("a file where a folder should be")
    for number in range(GROUP_FILE_REQUESTS):
        log.record(ranked(str(number)), page(str(number)))
    log.start()
    time.sleep(3 * FLUSH_S)
    (tmp_path / "pages").unlink()
    log.close()
    assert len(rows_in(tmp_path)) == GROUP_FILE_REQUESTS * len(CANDIDATES)
    assert dropped == []


def test_a_writer_that_raises_is_called_again() -> None:
    calls: list[bool] = []

    def write(ended: bool) -> None:
        calls.append(ended)
        raise RuntimeError("a mistake")

    thread = WriterThread("test", write)
    thread.start()
    time.sleep(3 * FLUSH_S)
    thread.close()
    assert len(calls) > 2
    assert calls[-1]

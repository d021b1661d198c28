"""The decision log: groups of sampled requests, impressions, and failures that cost nothing else."""

import concurrent.futures.thread
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.app.feedback import decision_log
from reelrank.app.feedback.background_writer import CLOSED_EARLY, FLUSH_S
from reelrank.app.feedback.decision_log import MAX_QUEUED_PAGES, DecisionLog, LakeOutput
from reelrank.app.feedback.decision_rows import RowBuilder
from reelrank.app.search.page import Hit, Page
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.decision import CANDIDATES as CANDIDATE_TABLE
from reelrank.index_mappings.decision import REQUESTS, hash_user
from reelrank.index_mappings.errors import Degradation, Unavailable
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import AppendReport
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import EPOCH, Context, Filters, Query
from reelrank.loaders.lake.reader import open_lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.loaders.lake.writer import LakeWriter
from reelrank.ranking.column import make_shared_column
from reelrank.ranking.policies.policy import PositionChange
from reelrank.ranking.retrieval.fusion import fuse
from reelrank.ranking.signals.observe import Signals

CANDIDATES = fuse(
    [
        Matches("bm25", encode_item_ids(["a", "b", "c"]), np.array([3, 2, 1], np.float32)),
        Matches("text_knn", encode_item_ids(["c"]), np.array([0.5], np.float32)),
    ]
)
SIGNALS = Signals(
    {
        "fused": CANDIDATES.fused,
        "age": np.array([1, np.nan, 3], np.float32),
        "weekday": make_shared_column(5, len(CANDIDATES)),
    }
)


LATE = Degradation("bm25", "timeout", "late")


def build_ranked(request_id: str, signals: Signals | None = SIGNALS) -> ResultList:
    query = Query(text="sea", user="u", filters=Filters(genres=("Sea",), year_min=2000))
    scores = np.array([0.3, 0.2, 0.1], np.float32)
    return ResultList(request_id, query, CANDIDATES, scores, "m", "v", (LATE,), "c", signals)


def build_page(request_id: str) -> Page:
    hits = tuple(Hit(Item(item, item), 0.0, position, {}) for position, item in enumerate("ab"))
    return Page(
        request_id, hits, "m", "v", (LATE, Degradation("items", "partial_result", "1 of 3 shards")), 3
    )


@pytest.fixture
def dropped() -> list[str]:
    return []


def build_output(directory: Path) -> LakeOutput:
    keys = UserKeys(directory / "lake.key")
    rows = RowBuilder(keys.get_key, lambda: "fingerprint")
    return LakeOutput(lambda: LakeWriter(LakeStorage(str(directory / "lake")), threads=1), rows, SYSTEM_CLOCK)


def read_table(directory: Path, table: str) -> list[dict[str, object]]:
    batches = open_lake(str(directory / "lake")).scan(table, EPOCH, EPOCH.replace(year=2100))
    return [row for batch in batches for row in batch.to_pylist()]


def open_log(directory: Path, share: float, dropped: list[str]) -> tuple[DecisionLog, EmbeddedEvents]:
    events = EmbeddedEvents(directory / "engine")
    return DecisionLog(build_output(directory), events, share, dropped.append), events


def test_a_sampled_request_is_logged_with_its_signals(tmp_path: Path, dropped: list[str]) -> None:
    log, events = open_log(tmp_path, 1.0, dropped)
    log.start()
    log.record(build_ranked("r1"), build_page("r1"))
    log.close()
    rows = read_table(tmp_path, CANDIDATE_TABLE)
    assert [row["item"] for row in rows] == [name.decode() for name in CANDIDATES.ids.tolist()]
    assert [row["signal_fused"] for row in rows] == pytest.approx(CANDIDATES.fused.tolist())
    assert [row["signal_weekday"] for row in rows] == [5, 5, 5]
    assert [row["signal_age"] for row in rows] == [1, None, 3]
    assert [(row["shown"], row["is_whole_group"]) for row in rows] == [
        (True, True), (True, True), (False, True)
    ]  # fmt: skip
    impressions = sorted((event.item, event.degraded) for event in events.recent("u", 10, 1.0))
    assert impressions == [("a", "bm25, items"), ("b", "bm25, items")]
    assert dropped == []


def test_a_request_row_holds_what_recomputes_the_decision(tmp_path: Path, dropped: list[str]) -> None:
    log, _ = open_log(tmp_path, 0.0, dropped)
    log.start()
    log.record(replace(build_ranked("r1"), asked=("bm25", "text_knn"), release="v1"), build_page("r1"))
    log.close()
    (row,) = read_table(tmp_path, REQUESTS)
    secret = UserKeys(tmp_path / "lake.key").secret
    assert (row["user_key"], row["text"], row["limit"]) == (hash_user("u", secret), "sea", 20)
    assert row["filters"] == '{"genres":["Sea"],"year_min":2000}'
    assert (row["sources_asked"], row["sources_late"]) == (["bm25", "text_knn"], ["bm25"])
    assert row["degraded"] == ["bm25: late", "items: 1 of 3 shards"]
    assert (row["config_id"], row["model"], row["release"], row["surface"]) == ("c", "m", "v1", "search")
    assert (row["candidates"], row["feature_fingerprint"]) == (3, "fingerprint")


def test_shown_items_of_a_request_that_is_not_sampled_have_signals(
    tmp_path: Path, dropped: list[str]
) -> None:
    log, _ = open_log(tmp_path, 0.0, dropped)
    log.start()
    log.record(build_ranked("r1"), build_page("r1"))
    log.close()
    rows = read_table(tmp_path, CANDIDATE_TABLE)
    assert [(row["item"], row["shown"], row["is_whole_group"]) for row in rows] == [
        (item.decode(), True, False) for item in CANDIDATES.ids[:2].tolist()
    ]  # fmt: skip
    assert [row["signal_fused"] for row in rows] == pytest.approx(CANDIDATES.fused[:2].tolist())
    assert [row["rank_bm25"] for row in rows] == [
        CANDIDATES.get_source_ranks("bm25")[position] for position in range(2)
    ]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_later_part_of_a_list_adds_what_it_showed(tmp_path: Path, dropped: list[str], share: float) -> None:
    log, _ = open_log(tmp_path, share, dropped)
    log.start()
    ranked, page = build_ranked("r1"), build_page("r1")
    log.record(ranked, page)
    later = ResultList.from_bytes(ranked.to_bytes())
    log.record(later, replace(page, hits=(Hit(Item("c", "c"), 0.0, 2, {}),)))
    log.close()
    assert len(read_table(tmp_path, REQUESTS)) == 1
    rows = read_table(tmp_path, CANDIDATE_TABLE)
    assert [(row["item"], row["shown"], row["signal_weekday"]) for row in rows] == [
        (item.decode(), True, 5) for item in CANDIDATES.ids.tolist()
    ]
    assert {row["is_whole_group"] for row in rows} == {share == 1.0}


def test_an_explored_position_is_logged_with_its_propensity(tmp_path: Path, dropped: list[str]) -> None:
    log, events = open_log(tmp_path, 1.0, dropped)
    log.start()
    first, second = build_page("r1").hits
    draw = PositionChange(1, 2, 0.25)  # the item at 1 stands where that at 2 would have
    log.record(
        replace(build_ranked("r1"), changes=(draw,), seed=2**64 - 5),
        replace(build_page("r1"), hits=(first, replace(second, exploration_slot=draw))),
    )
    log.close()
    rows = read_table(tmp_path, CANDIDATE_TABLE)
    assert [(row["propensity"], row["ranked_position"]) for row in rows] == [
        (None, None), (0.25, 2), (None, None)
    ]  # fmt: skip
    (request,) = read_table(tmp_path, REQUESTS)
    _, second, third = [item.decode() for item in CANDIDATES.ids.tolist()]
    assert (request["exploration_seed"], request["exploration_pool"]) == (-5, [third, second])
    impressions = sorted(
        (event.item, event.propensity, event.came_from) for event in events.recent("u", 10, 1.0)
    )
    assert impressions == [("a", None, None), ("b", 0.25, 2)]


def test_an_interleaved_page_is_logged_with_the_team_of_each_item(tmp_path: Path, dropped: list[str]) -> None:
    log, _ = open_log(tmp_path, 1.0, dropped)
    log.start()
    teams = np.array([1, 0, -1], np.int8)
    ranked = replace(build_ranked("r1"), teams=teams, team_names=("control", "diverse"))
    log.record(ranked, build_page("r1"))
    log.record(build_ranked("r2"), build_page("r2"))
    log.record(ResultList.from_bytes(replace(ranked, request_id="r3").to_bytes()), build_page("r3"))
    log.close()
    rows = read_table(tmp_path, CANDIDATE_TABLE)
    logged = {name: [row["team"] for row in rows if row["request_id"] == name] for name in ("r1", "r2", "r3")}
    assert logged["r1"] == ["diverse", "control", None]
    assert logged["r2"] == [None, None, None]
    assert logged["r3"][:2] == ["diverse", "control"]


def test_impressions_state_surface_model_and_release_of_their_page(
    tmp_path: Path, dropped: list[str]
) -> None:
    log, events = open_log(tmp_path, 0.0, dropped)
    log.start()
    ranked, page = replace(build_ranked("r1"), release="release-1"), build_page("r1")
    log.record(ranked, page)
    log.close()
    origins = {(event.surface, event.model, event.release) for event in events.recent("u", 10, 1.0)}
    assert origins == {(ranked.query.kind, page.model, "release-1")}
    assert page.model


def test_all_parts_of_a_list_are_sampled_or_none(tmp_path: Path, dropped: list[str]) -> None:
    log, _ = open_log(tmp_path, 0.2, dropped)
    names = [f"{number:032x}" for number in range(2000)]
    assert 0.15 < np.mean([log.is_sampled(name) for name in names]) < 0.25
    assert [log.is_sampled(name) for name in names] == [log.is_sampled(name) for name in names]


def test_a_full_queue_drops_and_counts_without_waiting(tmp_path: Path, dropped: list[str]) -> None:
    log, _ = open_log(tmp_path, 0.0, dropped)
    for number in range(MAX_QUEUED_PAGES + 3):
        log.record(build_ranked(str(number)), build_page(str(number)))
    assert dropped == ["the queue is full"] * 3


class UnavailableEvents(EmbeddedEvents):
    """Of an engine that takes nothing for a while."""

    is_away = True

    def append(self, events: Sequence[Event], timeout_s: float | None = None) -> AppendReport:
        if self.is_away:
            raise Unavailable("the engine is away")
        return super().append(events, timeout_s)


@pytest.fixture
def away(tmp_path: Path) -> UnavailableEvents:
    return UnavailableEvents(tmp_path / "engine")


def test_impressions_wait_for_an_engine_that_is_away(
    tmp_path: Path, away: UnavailableEvents, dropped: list[str]
) -> None:
    log = DecisionLog(build_output(tmp_path), away, 0.0, dropped.append)
    log.start()
    log.record(build_ranked("r1"), build_page("r1"))
    time.sleep(3 * FLUSH_S)
    away.is_away = False
    log.record(build_ranked("r2"), build_page("r2"))
    log.close()
    assert {event.request_id for event in away.recent("u", 10, 1.0)} == {"r1", "r2"}
    assert dropped == []


def test_impressions_that_are_never_written_are_counted(
    tmp_path: Path, away: UnavailableEvents, dropped: list[str]
) -> None:
    log = DecisionLog(build_output(tmp_path), away, 0.0, dropped.append)
    for number in range(MAX_QUEUED_PAGES):
        log.record(build_ranked(str(number)), build_page(str(number)))
    log.start()
    log.close()
    assert dropped == ["the engine is away"] * MAX_QUEUED_PAGES


def test_the_last_write_of_an_ending_process_makes_one_file_a_date(
    tmp_path: Path, dropped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, _ = open_log(tmp_path, 1.0, dropped)
    for number in range(20):
        ranked = build_ranked(str(number))
        query = replace(ranked.query, context=Context(EPOCH + timedelta(days=number % 2)))
        log.record(replace(ranked, query=query), build_page(str(number)))
    # Python sets this before it calls what `atexit` registered; from then on no pool takes work.
    monkeypatch.setattr(concurrent.futures.thread, "_shutdown", True)
    log.start()
    log.close()
    assert len(read_table(tmp_path, REQUESTS)) == 20
    assert len(LakeStorage(str(tmp_path / "lake")).list_files(REQUESTS)) == 2
    assert dropped == []


def test_pages_that_a_stop_does_not_wait_for_are_counted_and_logged(
    tmp_path: Path, dropped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "CLOSE_S", 0.05)
    output, is_open = build_output(tmp_path), threading.Event()

    def open_slowly() -> LakeWriter:
        is_open.wait(10)
        return output.build_writer()

    events = EmbeddedEvents(tmp_path / "engine")
    log = DecisionLog(replace(output, build_writer=open_slowly), events, 0.0, dropped.append)
    for number in range(3):
        log.record(build_ranked(str(number)), build_page(str(number)))
    log.start()
    with capture_logs() as logs:
        log.close()
    is_open.set()
    assert dropped == [CLOSED_EARLY] * 3
    assert [(line["pages"], line["reason"]) for line in logs] == [(3, CLOSED_EARLY)]


def test_a_list_survives_its_bytes() -> None:
    written = build_ranked("r1", None)
    back = ResultList.from_bytes(written.to_bytes())
    assert (back.request_id, back.query, back.model, back.degraded) == (
        "r1", written.query, "m", (LATE,)
    )  # fmt: skip
    assert back.candidates.ids.tolist() == written.candidates.ids.tolist()
    assert back.candidates.sources == written.candidates.sources
    assert np.array_equal(back.candidates.ranks, written.candidates.ranks)
    assert np.array_equal(back.candidates.scores, written.candidates.scores, equal_nan=True)
    assert np.array_equal(back.scores, written.scores)


LONE_SURROGATE = "sea \ud800"


def build_list_for(name: str, **fields: str) -> ResultList:
    return replace(build_ranked(name), query=replace(build_ranked(name).query, **fields))  # type: ignore[arg-type]  # texts


def build_without_candidates(name: str) -> tuple[ResultList, Page]:
    nothing = CANDIDATES.take(np.empty(0, np.intp))
    signals = Signals({name: column[:0] for name, column in SIGNALS.columns.items()})
    empty = replace(build_ranked(name), candidates=nothing, scores=np.empty(0, np.float32), signals=signals)
    return empty, Page(name, (), "m", "v", (), 0)


def build_scored(name: str, *scores: float) -> tuple[ResultList, Page]:
    return replace(build_ranked(name), scores=np.array(scores, np.float32)), build_page(name)


def build_unlike(name: str) -> tuple[ResultList, Page]:
    """A group whose columns are none of the others'."""
    return replace(
        build_ranked(name), signals=Signals({"new": CANDIDATES.fused.astype(np.float64)})
    ), build_page(name)


@pytest.mark.parametrize(
    "odd",
    [
        build_without_candidates("odd"),
        build_scored("odd", np.nan, np.inf, -np.inf),
        build_unlike("odd"),
        (build_list_for("odd", text=LONE_SURROGATE), build_page("odd")),
        (build_list_for("odd", text="x" * 3_000_000), build_page("odd")),
    ],
    ids=["no candidates", "no finite scores", "other signals", "lone surrogate", "long text"],
)
def test_an_unusual_list_is_recorded_among_others(
    tmp_path: Path, dropped: list[str], odd: tuple[ResultList, Page]
) -> None:
    log, events = open_log(tmp_path, 1.0, dropped)
    for logged in ((build_ranked("r1"), build_page("r1")), odd, (build_ranked("r2"), build_page("r2"))):
        log.record(*logged)
    log.start()
    log.close()
    with_candidates = {"r1", "r2"} | ({"odd"} if len(odd[0].candidates) else set())
    assert {row["request_id"] for row in read_table(tmp_path, CANDIDATE_TABLE)} == with_candidates
    assert {row["request_id"] for row in read_table(tmp_path, REQUESTS)} == {"r1", "r2", "odd"}
    with_hits = {"r1", "r2"} | ({"odd"} if odd[1].hits else set())
    assert {event.request_id for event in events.recent("u", 10, 1.0)} == with_hits
    assert dropped == []


def test_one_bad_record_does_not_cost_others(tmp_path: Path, dropped: list[str]) -> None:
    log, events = open_log(tmp_path, 1.0, dropped)
    for number in range(20):
        log.record(build_ranked(f"before{number}"), build_page(f"before{number}"))
    log.record(build_list_for("bad", user=LONE_SURROGATE), build_page("bad"))
    log.record(build_ranked("after"), build_page("after"))
    log.start()
    time.sleep(3 * FLUSH_S)
    log.record(build_ranked("later"), build_page("later"))
    log.close()
    good = {"after", "later", *(f"before{number}" for number in range(20))}
    assert {event.request_id for event in events.recent("u", 100, 1.0)} == good
    assert {row["request_id"] for row in read_table(tmp_path, REQUESTS)} == good | {"bad"}
    assert dropped == ["UnicodeEncodeError"]  # its impressions; its key is of bytes


def test_decisions_wait_for_a_lake_that_is_away(tmp_path: Path, dropped: list[str]) -> None:
    log, _ = open_log(tmp_path, 1.0, dropped)
    (tmp_path / "lake").write_text("a file where a folder should be")
    for number in range(100):
        log.record(build_ranked(str(number)), build_page(str(number)))
    log.start()
    time.sleep(3 * FLUSH_S)
    (tmp_path / "lake").unlink()
    log.close()
    assert len(read_table(tmp_path, CANDIDATE_TABLE)) == 100 * len(CANDIDATES)
    assert dropped == []


def test_a_lake_that_stays_away_costs_no_impression(tmp_path: Path, dropped: list[str]) -> None:
    log, events = open_log(tmp_path, 1.0, dropped)
    (tmp_path / "lake").write_text("a file where a folder should be")
    log.start()
    log.record(build_ranked("r1"), build_page("r1"))
    log.close()
    assert {event.request_id for event in events.recent("u", 10, 1.0)} == {"r1"}
    assert dropped == ["the lake is away"]


@pytest.mark.parametrize("content", ["", "too short", "zz" * 32])
def test_a_damaged_secret_costs_no_impression(tmp_path: Path, dropped: list[str], content: str) -> None:
    (tmp_path / "lake.key").write_text(content)
    log, events = open_log(tmp_path, 1.0, dropped)
    log.start()
    log.record(build_ranked("r1"), build_page("r1"))
    log.close()
    assert {event.request_id for event in events.recent("u", 10, 1.0)} == {"r1"}
    assert dropped == ["BadRequest"]

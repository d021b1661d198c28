"""Live changes while a version is built and promoted: none is lost, none is made twice."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from reelrank.app.engines.server.documents import live_changes as live
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.index_mappings.errors import Conflict
from reelrank.index_mappings.item import Document, Item, Neighbour
from tests.servers.interposed import RequestHook, intercept
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params(), indirect=True)
SOON = 5.0
CHANGE = "refresh=wait_for"
"""In the path of a bulk request that changes the serving version."""
LEARNED = (Neighbour("b", 1.0),)


def build_film(item_id: str, title: str = "Film") -> Document:
    return Document(Item(item_id, title), {"factors": np.eye(64, dtype=np.float32)[0]})


def load(engine: ServerEngine, version: str, item_ids: list[str]) -> None:
    engine.create_index(version)
    engine.write(version, [build_film(name) for name in item_ids])


def create_two_versions(engine: ServerEngine) -> None:
    """The first serves; the second has learned neighbours."""
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    engine.create_index("items-2")
    engine.write("items-2", [replace(build_film("a"), neighbours=LEARNED)])


def wait_for(event: threading.Event) -> Callable[[], object]:
    """Waits for what another thread does; fails that thread when it does not."""

    def wait() -> None:
        assert event.wait(SOON)

    return wait


def run_at_request(path_part: str, *steps: Callable[[], object]) -> RequestHook:
    """Does the steps when a request with these words is made for the first time."""
    met = threading.Event()

    def hook(_method: str, path: str) -> None:
        if path_part in path and not met.is_set():
            met.set()
            for step in steps:
                step()

    return hook


@pytest.mark.parametrize(
    "promotions", [("items-2",), ("items-2", "items-1", "items-2")], ids=["forward", "to and fro"]
)
def test_upserts_all_through_a_promotion_are_in_the_new_version(
    engine: ServerEngine, promotions: tuple[str, ...]
) -> None:
    names = [f"f{number}" for number in range(20)]
    load(engine, "items-1", names)
    engine.promote("items-1")
    load(engine, "items-2", names)
    acknowledged, stop, begun = dict[str, str](), threading.Event(), threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            name, title = names[number % 20], f"Changed {number}"
            assert engine.upsert([build_film(name, title)]).written == 1
            acknowledged[name] = title
            begun.set()
            number += 1

    writer = threading.Thread(target=change)
    writer.start()
    assert begun.wait(SOON)  # promotions may be over before the first write is acknowledged
    for version in promotions:
        engine.promote(version)
    stop.set()
    writer.join()
    assert len(acknowledged) > 0
    found = engine.fetch(list(acknowledged), SOON)
    assert {item.id: item.title for item in found if item is not None} == acknowledged


def test_a_change_made_between_the_catching_up_of_a_promotion_and_its_hold_is_in_the_new_version(
    server: Server, engine: ServerEngine
) -> None:
    create_two_versions(engine)
    caught_up, written = threading.Event(), threading.Event()
    slow = server.build_engine(
        intercept(
            engine.cluster, run_at_request(CHANGE, wait_for(caught_up)), run_at_request(CHANGE, written.set)
        ),
        engine.layout,
    )
    promoting = server.build_engine(
        intercept(engine.cluster, run_at_request("/_block/write", caught_up.set, wait_for(written))),
        engine.layout,
    )
    writer = threading.Thread(target=slow.upsert, args=([build_film("a", "Changed")],))
    writer.start()
    promoting.promote("items-2")
    writer.join()
    assert engine.fetch(["a"], SOON) == [build_film("a", "Changed").item]


@pytest.mark.parametrize("held", ["/_mget", CHANGE, "-changes/_bulk"], ids=["reading", "writing", "noting"])
def test_a_writer_that_sleeps_through_promotions_to_and_fro_changes_the_version_that_serves_then(
    server: Server, engine: ServerEngine, held: str
) -> None:
    create_two_versions(engine)
    waits, promoted = threading.Event(), threading.Event()
    slow = server.build_engine(
        intercept(engine.cluster, run_at_request(held, waits.set, wait_for(promoted))), engine.layout
    )
    writer = threading.Thread(target=slow.upsert, args=([build_film("a", "Changed")],))
    writer.start()
    assert waits.wait(SOON)
    for version in ("items-2", "items-1", "items-2"):
        engine.promote(version)
    promoted.set()
    writer.join()
    (kept,) = next(engine.scan("items-2"))
    assert kept.item == build_film("a", "Changed").item
    assert kept.neighbours == LEARNED


def test_a_deletion_that_sleeps_through_a_promotion_is_made_in_the_new_version(
    server: Server, engine: ServerEngine
) -> None:
    create_two_versions(engine)
    waits, promoted = threading.Event(), threading.Event()
    slow = server.build_engine(
        intercept(engine.cluster, run_at_request(CHANGE, waits.set, wait_for(promoted))), engine.layout
    )
    deleted = list[int]()
    writer = threading.Thread(target=lambda: deleted.append(slow.delete(["a", "none"])))
    writer.start()
    assert waits.wait(SOON)
    engine.promote("items-2")
    promoted.set()
    writer.join()
    assert deleted == [1]
    assert engine.fetch(["a"], SOON) == [None]


def test_a_change_made_after_a_new_version_was_begun_and_copied_is_in_it_when_it_serves(
    server: Server, engine: ServerEngine
) -> None:
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    waits, copied = threading.Event(), threading.Event()
    slow = server.build_engine(
        intercept(engine.cluster, run_at_request(CHANGE, waits.set, wait_for(copied))), engine.layout
    )
    writer = threading.Thread(target=slow.upsert, args=([build_film("a", "Changed")],))
    writer.start()
    assert waits.wait(SOON)
    engine.create_index("items-2")
    for batch in engine.scan("items-1"):
        engine.write("items-2", batch)
    copied.set()
    writer.join()
    engine.promote("items-2")
    assert engine.fetch(["a"], SOON) == [build_film("a", "Changed").item]


def test_of_two_promotions_at_once_one_is_told_that_it_was_slower(
    server: Server, engine: ServerEngine
) -> None:
    create_two_versions(engine)
    load(engine, "items-3", ["a"])
    slow = server.build_engine(
        intercept(engine.cluster, run_at_request("/_aliases", lambda: engine.promote("items-3"))),
        engine.layout,
    )
    with pytest.raises(Conflict, match="quicker"):
        slow.promote("items-2")
    assert engine.serving_version() == "items-3"


def test_two_writers_of_one_item_both_succeed_and_one_is_the_last(engine: ServerEngine) -> None:
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    reports = list[int]()

    def write(title: str) -> None:
        reports.append(engine.upsert([build_film("a", title)]).written)

    writers = [threading.Thread(target=write, args=(f"Title {number}",)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert reports == [1, 1, 1, 1]


def test_a_promotion_stopped_half_way_leaves_the_old_version_serving_and_another_finishes_it(
    engine: ServerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    load(engine, "items-2", ["a"])
    engine.index_versions.block_writes("items-1")  # as a killed promotion leaves it
    monkeypatch.setattr(live, "BLOCK_TIMEOUT_S", 0.3)
    with pytest.raises(Conflict, match="reelrank index promote"):
        engine.upsert([build_film("a", "New")])
    assert engine.fetch(["a"], SOON) == [build_film("a").item]
    engine.promote("items-2")
    assert engine.upsert([build_film("a", "New")]).written == 1
    assert engine.serving_version() == "items-2"


def test_promoting_the_serving_version_again_lets_writers_in(engine: ServerEngine) -> None:
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    engine.index_versions.block_writes("items-1")
    engine.promote("items-1")
    assert engine.upsert([build_film("a", "New")]).written == 1


def test_an_index_of_somebody_else_under_our_prefix_is_no_version(engine: ServerEngine) -> None:
    load(engine, "items-1", ["a"])
    engine.cluster.request_or_raise("PUT", f"/{engine.layout.index_name('items-theirs')}", {})
    assert [version.name for version in engine.versions()] == ["items-1"]


def logged(engine: ServerEngine) -> list[str]:
    return [change.item_id for changes in engine.change_log.scan_since(-1) for change in changes]


def test_dropping_a_version_prunes_the_changes_that_no_other_lacks(engine: ServerEngine) -> None:
    create_two_versions(engine)
    load(engine, "items-3", ["a"])
    engine.upsert([build_film("early")])
    engine.promote("items-2")
    engine.upsert([build_film("late")])
    engine.drop("items-3")
    assert logged(engine) == ["late"]
    engine.drop("items-1")
    assert logged(engine) == []


def test_a_change_that_an_earlier_build_noted_is_read_from_the_serving_version(
    engine: ServerEngine,
) -> None:
    create_two_versions(engine)
    engine.upsert([build_film("a", "Changed")])
    engine.cluster.request_or_raise("PUT", f"/{engine.change_log.index}/_doc/a", {"item": "a"})
    engine.promote("items-2")
    assert engine.fetch(["a"], SOON) == [build_film("a", "Changed").item]


def test_turns_go_on_where_the_log_stands_when_nothing_serves(engine: ServerEngine) -> None:
    create_two_versions(engine)
    for version in ("items-2", "items-1"):
        engine.upsert([build_film("a", version)])
        engine.promote(version)
    engine.upsert([build_film("a", "Before")])
    engine.cluster.request_or_raise("DELETE", f"/{engine.layout.index_name('items-1')}")
    load(engine, "items-3", ["a"])
    engine.promote("items-2")
    engine.upsert([build_film("a", "After")])
    engine.promote("items-3")
    assert engine.fetch(["a"], SOON) == [build_film("a", "After").item]

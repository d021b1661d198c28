"""Live changes while a version is built and promoted: none is lost, none is applied twice."""

import threading
from collections.abc import Callable

import pytest

from reelrank.app.engines.server.documents import live_changes as live
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.index_mappings.errors import Conflict
from tests.raised import raises_code
from tests.servers.films import LEARNED, build_film, create_two_versions, load
from tests.servers.intercepted import RequestHook, intercept
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params(), indirect=True)
SOON = 5.0
THREAD_WAIT_S = 60.0
"""How long a thread waits for another one: three promotions took over 5 s on a busy machine."""
CHANGE = "refresh=wait_for"
"""Part of the path of a bulk request that changes the serving version."""


def wait_for(event: threading.Event) -> Callable[[], object]:
    """Returns a step that waits for another thread and fails if it never gets there."""

    def wait() -> None:
        assert event.wait(THREAD_WAIT_S)

    return wait


def run_at_request(path_part: str, *steps: Callable[[], object]) -> RequestHook:
    """Returns a hook that runs the steps at the first request with this text in its path."""
    seen = threading.Event()

    def hook(_method: str, path: str) -> None:
        if path_part in path and not seen.is_set():
            seen.set()
            for step in steps:
                step()

    return hook


@pytest.mark.parametrize(
    "promotions", [("items-2",), ("items-2", "items-1", "items-2")], ids=["forward", "back and forth"]
)
def test_upserts_during_promotions_are_in_the_new_version(
    engine: ServerEngine, promotions: tuple[str, ...]
) -> None:
    names = [f"f{number}" for number in range(20)]
    load(engine, "items-1", names)
    engine.promote("items-1")
    load(engine, "items-2", names)
    acknowledged, stop, started = dict[str, str](), threading.Event(), threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            name, title = names[number % 20], f"Changed {number}"
            assert engine.upsert([build_film(name, title)]).written == 1
            acknowledged[name] = title
            started.set()
            number += 1

    writer = threading.Thread(target=change)
    writer.start()
    assert started.wait(THREAD_WAIT_S)  # promotions may be over before the first write is acknowledged
    for version in promotions:
        engine.promote(version)
    stop.set()
    writer.join()
    assert len(acknowledged) > 0
    found = engine.fetch(list(acknowledged), SOON)
    assert {item.id: item.title for item in found if item is not None} == acknowledged


def test_a_change_just_before_the_write_block_is_in_the_new_version(
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


@pytest.mark.parametrize("request_path", ["/_mget", CHANGE, "-changes/_bulk"], ids=["read", "write", "log"])
def test_an_upsert_delayed_over_promotions_changes_the_serving_version(
    server: Server, engine: ServerEngine, request_path: str
) -> None:
    create_two_versions(engine)
    is_waiting, promoted = threading.Event(), threading.Event()
    slow = server.build_engine(
        intercept(engine.cluster, run_at_request(request_path, is_waiting.set, wait_for(promoted))),
        engine.layout,
    )
    writer = threading.Thread(target=slow.upsert, args=([build_film("a", "Changed")],))
    writer.start()
    assert is_waiting.wait(THREAD_WAIT_S)
    for version in ("items-2", "items-1", "items-2"):
        engine.promote(version)
    promoted.set()
    writer.join()
    (document,) = next(engine.scan("items-2"))
    assert document.item == build_film("a", "Changed").item
    assert document.neighbours == LEARNED


def test_a_delete_delayed_over_a_promotion_applies_to_the_new_version(
    server: Server, engine: ServerEngine
) -> None:
    create_two_versions(engine)
    is_waiting, promoted = threading.Event(), threading.Event()
    slow = server.build_engine(
        intercept(engine.cluster, run_at_request(CHANGE, is_waiting.set, wait_for(promoted))), engine.layout
    )
    deleted = list[int]()
    writer = threading.Thread(target=lambda: deleted.append(slow.delete(["a", "none"])))
    writer.start()
    assert is_waiting.wait(THREAD_WAIT_S)
    engine.promote("items-2")
    promoted.set()
    writer.join()
    assert deleted == [1]
    assert engine.fetch(["a"], SOON) == [None]


def test_a_change_after_a_version_was_copied_is_in_it_when_it_serves(
    server: Server, engine: ServerEngine
) -> None:
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    is_waiting, copied = threading.Event(), threading.Event()
    slow = server.build_engine(
        intercept(engine.cluster, run_at_request(CHANGE, is_waiting.set, wait_for(copied))), engine.layout
    )
    writer = threading.Thread(target=slow.upsert, args=([build_film("a", "Changed")],))
    writer.start()
    assert is_waiting.wait(THREAD_WAIT_S)
    engine.create_index("items-2")
    for batch in engine.scan("items-1"):
        engine.write("items-2", batch)
    copied.set()
    writer.join()
    engine.promote("items-2")
    assert engine.fetch(["a"], SOON) == [build_film("a", "Changed").item]


def test_the_slower_of_two_promotions_at_once_is_a_conflict(server: Server, engine: ServerEngine) -> None:
    create_two_versions(engine)
    load(engine, "items-3", ["a"])
    slow = server.build_engine(
        intercept(engine.cluster, run_at_request("/_aliases", lambda: engine.promote("items-3"))),
        engine.layout,
    )
    with raises_code(Conflict, "promotion_overtaken"):
        slow.promote("items-2")
    assert engine.serving_version() == "items-3"


def test_concurrent_upserts_of_one_item_all_succeed(engine: ServerEngine) -> None:
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


def test_an_interrupted_promotion_can_be_repeated(
    engine: ServerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    load(engine, "items-2", ["a"])
    engine.alias.block_writes("items-1", "items-2")  # as a killed promotion leaves it
    monkeypatch.setattr(live, "BLOCK_TIMEOUT_S", 0.3)
    with raises_code(Conflict, "writes_blocked"):
        engine.upsert([build_film("a", "New")])
    assert engine.fetch(["a"], SOON) == [build_film("a").item]
    engine.promote("items-2")
    assert engine.upsert([build_film("a", "New")]).written == 1
    assert engine.serving_version() == "items-2"


def test_promoting_the_serving_version_again_allows_writes(engine: ServerEngine) -> None:
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    engine.alias.block_writes("items-1", "items-2")
    engine.promote("items-1")
    assert engine.upsert([build_film("a", "New")]).written == 1

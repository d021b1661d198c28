"""A server that is killed during a promotion: the block it leaves is named, and ends by itself."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.engine import ServerEngine
from reelrank.app.state import engine_watch
from reelrank.app.web.api.health import check_lists_ready
from reelrank.app.wiring import Container, build_release_manager, build_service
from reelrank.index_mappings.errors import Conflict, Unavailable
from tests.raised import raises_code
from tests.sample_project import build_project
from tests.servers.films import build_film, create_two_versions
from tests.servers.intercepted import RequestHook, intercept
from tests.servers.node import Node
from tests.servers.server import Server, build_kind_params, create_prefix

SOON, NEW = 5.0, "items-new"


@dataclass(slots=True)
class KilledAfterBlock:
    """Kills the node when writes are blocked, and starts it when somebody asks which version serves."""

    node: Node
    is_down: bool = False

    def before(self, method: str, path: str) -> None:
        if self.is_down and method == "GET" and "items/_mapping" in path:
            self.node.restart().wait()
            self.is_down = False

    def after(self, _method: str, path: str) -> None:
        if path.endswith("/_block/write"):
            self.node.kill()
            self.is_down = True


@pytest.fixture
def container(node: Node, tmp_path: Path) -> Iterator[Container]:
    """A project with two versions, whose node was killed while the second one was promoted."""
    server = Server(node.kind, node.url)
    built = build_project(
        tmp_path / "data", datetime.now(UTC), engine_settings=server.build_settings(create_prefix())
    )
    engine = built.engine
    assert isinstance(engine, ServerEngine)
    engine.create_index(NEW)
    for batch in engine.scan(engine.serving_version() or ""):
        engine.write(NEW, batch)
    killed = KilledAfterBlock(node)
    stopped = server.build_engine(intercept(engine.cluster, killed.before, killed.after), engine.layout)
    with pytest.raises(Unavailable):
        build_release_manager(replace(built, engine=stopped)).promote_version(NEW, "test")
    assert not killed.is_down
    yield built
    engine.close()


@pytest.mark.slow
@pytest.mark.servers
def test_a_block_left_by_a_killed_server_is_named_and_ends_by_itself(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, service = container.engine.serving_version(), build_service(container)
    command = f"reelrank index promote {version}"
    assert version != NEW
    assert [problem for problem in diagnose(container).problems if command in problem] != []
    service.refresher.refresh()
    (writes,) = check_lists_ready(service)["degraded"][-1:]
    assert f"the promotion of {NEW}" in writes
    assert command in writes
    monkeypatch.setattr(engine_watch, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(engine_watch, "LEFT_AFTER_S", 0.0)
    started = build_service(container).refresher
    started.refresh()
    started.refresh()
    assert container.engine.find_write_block() is None
    assert container.engine.upsert([build_film("a")]).written == 1
    assert [problem for problem in diagnose(container).problems if "blocked" in problem] == []


@pytest.mark.slow
@pytest.mark.servers
def test_the_next_promotion_ends_the_block_too(container: Container) -> None:
    before = container.engine.serving_version()
    assert build_release_manager(container).promote_version(NEW, "again").index_version == NEW
    container.engine.upsert([build_film("a", "Changed")])
    assert build_release_manager(container).rollback().index_version == before
    (item,) = container.engine.fetch(["a"], SOON)
    assert item is not None
    assert item.title == "Changed"


@pytest.mark.parametrize("server", build_kind_params(), indirect=True)
def test_a_version_that_was_left_blocked_gets_the_changes_that_it_lacks(engine: ServerEngine) -> None:
    create_two_versions(engine)
    engine.promote("items-2")
    engine.upsert([build_film("a", "Changed")])
    engine.cluster.request_or_raise("PUT", f"/{engine.layout.index_name('items-1')}/_block/write")
    engine.promote("items-1")
    assert engine.fetch(["a"], SOON) == [build_film("a", "Changed").item]
    assert engine.find_write_block() is None


@pytest.mark.parametrize("server", build_kind_params(), indirect=True)
def test_a_promotion_whose_block_was_ended_is_refused(server: Server, engine: ServerEngine) -> None:
    create_two_versions(engine)

    def end_block_and_write(_method: str, path: str) -> None:
        if path.startswith("/_aliases"):
            engine.promote("items-1")
            assert engine.upsert([build_film("a", "Changed")]).written == 1

    running = server.build_engine(intercept(engine.cluster, end_block_and_write), engine.layout)
    with raises_code(Conflict, "promotion_overtaken"):
        running.promote("items-2")
    assert engine.serving_version() == "items-1"
    assert engine.fetch(["a"], SOON) == [build_film("a", "Changed").item]


@pytest.mark.parametrize("server", build_kind_params(), indirect=True)
def test_a_block_of_an_administrator_is_named_but_stays(
    engine: ServerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_two_versions(engine)
    engine.cluster.request_or_raise("PUT", f"/{engine.layout.index_name('items-1')}/_block/write")
    monkeypatch.setattr(engine_watch, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(engine_watch, "LEFT_AFTER_S", 0.0)
    watch = engine_watch.WriteBlockWatch(engine, lambda _block: pytest.fail("it was ended"))
    watch.check()
    watch.check()
    block = engine.find_write_block()
    assert block is not None
    assert "not by a promotion" in str(block)


@pytest.mark.parametrize("server", build_kind_params(), indirect=True)
def test_a_block_is_marked_only_while_a_promotion_holds_it(server: Server, engine: ServerEngine) -> None:
    create_two_versions(engine)
    seen = []

    def look(_method: str, path: str) -> None:
        if path.startswith("/_aliases"):
            seen.append(engine.find_write_block())

    hook: RequestHook = look
    server.build_engine(intercept(engine.cluster, hook), Layout(engine.layout.prefix)).promote("items-2")
    (block,) = seen
    assert block is not None
    assert (block.version, block.promoted_to) == ("items-1", "items-2")
    for version in ("items-1", "items-2"):
        assert "promoted_to" not in engine.index_versions.read_metadata(version)

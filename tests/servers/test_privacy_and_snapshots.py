"""A viewer is erased from every index of a cluster; a snapshot brings catalogue, events and pointer back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reelrank.app.privacy_wiring import build_viewer_eraser
from reelrank.app.search.page import RankingOptions
from reelrank.app.wiring import Container, build_container, build_user_keys, warm_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context, Query
from tests.sample_project import FILMS, build_project
from tests.servers.node import Node
from tests.servers.server import Server, require_startable

pytestmark = [pytest.mark.slow, pytest.mark.servers]
PREFIX, ERASED, KEPT = "privacy-", "ada-7f3c", "bob-19d2"
EVERYTHING = {"size": 10_000, "query": {"match_all": {}}}


@pytest.fixture(scope="module", params=["elasticsearch-9", "opensearch-3"])
def container(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """A project on a node that may write snapshots, whose two viewers saw pages and watched films."""
    home = Path(tmp_path_factory.mktemp(request.param))
    settings = ("discovery.type=single-node", f"path.repo={home / 'snapshots'}")
    node = Node(require_startable(request.param), home / "node", *settings).wait()
    engine_settings = Server(request.param, node.url).build_settings(PREFIX)
    parts = build_project(home / "data", datetime.now(UTC), FILMS, engine_settings)
    service = warm_service(parts)
    service.recorder.start()
    for user in (ERASED, KEPT):
        query = Query(text="story", user=user, limit=5, context=Context(datetime.now(UTC)))
        page = service.serve_page(RankingOptions(query))
        now_ms = round(datetime.now(UTC).timestamp() * 1000)
        service.record_events(
            [Event(f"watch-{user}", "watch", user, now_ms, "sea1", request_id=page.request_id)]
        )
    service.recorder.close()
    yield parts
    parts.engine.close()
    node.stop()


def request(container: Container, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    return container.engine.cluster.request_or_raise(method, path, body)  # type: ignore[attr-defined]


def count_documents(container: Container, text: str) -> int:
    """Counts the documents of all indices that hold a text anywhere."""
    request(container, "POST", f"/{PREFIX}*/_refresh")
    hits = request(container, "POST", f"/{PREFIX}*/_search?expand_wildcards=all", EVERYTHING)["hits"]["hits"]
    return sum(text in str(hit) for hit in hits)


def test_no_document_of_a_cluster_holds_an_erased_viewer(container: Container) -> None:
    keys = build_user_keys(container.settings)
    names = [(user, keys.get_key(user)) for user in (ERASED, KEPT)]
    before = [[count_documents(container, name) for name in both] for both in names]
    assert before[0] == before[1]
    assert min(before[0]) > 0
    eraser = build_viewer_eraser(container)
    pending = eraser.begin(ERASED)
    assert [count_documents(container, name) for name in names[0]] == [0, 0]
    assert [count_documents(container, name) for name in names[1]] == before[1]
    assert pending.removed["events"] == before[0][0]
    assert pending.removed["dashboard_lines"] == before[0][1]


def test_a_snapshot_brings_everything_back(container: Container) -> None:
    location = {"type": "fs", "settings": {"location": "backups"}}
    request(container, "PUT", "/_snapshot/backups", location)
    request(container, "PUT", "/_snapshot/backups/monday?wait_for_completion=true", {"indices": f"{PREFIX}*"})
    saved = container.engine.serving_version(), container.events.count(), container.releases.read_pointer()
    for stream in ("events", "requests", "impressions"):
        request(container, "DELETE", f"/_data_stream/{PREFIX}{stream}")
    for index in request(container, "GET", f"/{PREFIX}*/_settings/index.uuid"):
        request(container, "DELETE", f"/{index}")
    request(container, "POST", "/_snapshot/backups/monday/_restore?wait_for_completion=true")
    again = build_container(container.settings)
    assert (again.engine.serving_version(), again.events.count(), again.releases.read_pointer()) == saved
    assert saved[1] > 0
    assert [item and item.title for item in again.engine.fetch(["sea1", "none"], 5.0)] == [
        "Sea story 1",
        None,
    ]
    again.engine.close()

"""Search and recommendation over an external index, which is never changed."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.search.page import RankingOptions
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, warm_service
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.query import Filters, Query
from tests.raised import raises_code
from tests.running_service import start_service
from tests.servers.log_capture import (
    count_degraded_pages,
    count_failures,
    expect_warnings,
    read_event_warnings,
)
from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize(
    "server", build_kind_params("elasticsearch-9", "opensearch-2"), indirect=True
)
COMMAND = (sys.executable, "-c", "from reelrank.app.cli.main import main; main()")
FIELDS = (
    "id=film_no,title=name,description=plot,genres=categories.keyword,people=cast.name,"
    "language=lang,published_at=released,duration_min=runtime"
)
MAPPING: dict[str, Any] = {
    "properties": {
        "film_no": {"type": "keyword"},
        "name": {"type": "text"},
        "plot": {"type": "text"},
        "categories": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
        "cast": {"properties": {"name": {"type": "text"}, "role": {"type": "keyword"}}},
        "lang": {"type": "keyword"},
        "released": {"type": "date", "format": "epoch_millis"},
        "runtime": {"type": "integer"},
    }
}
SOON = 5.0


def build_film(number: int) -> dict[str, Any]:
    topic = ("sea", "space")[number % 2]
    released = datetime(2000 + number % 20, 6, 1, tzinfo=UTC)
    return {
        "film_no": f"no-{number}", "name": f"{topic.title()} story {number}", "plot": f"Far out at {topic}.",
        "categories": [topic.title(), "Drama"], "lang": "English", "runtime": 90 + number,
        "cast": [{"name": f"Ann Actor {number % 3}", "role": "lead"}, {"name": "Bob", "role": "extra"}],
        "released": round(released.timestamp() * 1000),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExternalIndexFixture:
    """An external index and what its owner does with it."""

    cluster: Cluster
    name: str

    def create(self, films: int) -> None:
        self.cluster.request_or_raise("PUT", f"/{self.name}", {"mappings": MAPPING})
        for number in range(films):
            self.add(number)
        self.cluster.request_or_raise("PUT", f"/{self.name}/_block/write")

    def add(self, number: int) -> None:
        """Adds a document with an id other than the item id."""
        self.cluster.request_or_raise(
            "PUT", f"/{self.name}/_doc/doc{number}", build_film(number), refresh="true"
        )

    def read_state(self) -> tuple[Any, ...]:
        """Reads everything that could have changed: mapping, settings, aliases, number of writes."""
        index = self.cluster.request_or_raise("GET", f"/{self.name}")
        stats = self.cluster.request_or_raise("GET", f"/{self.name}/_stats", level="shards")["indices"][
            self.name
        ]
        return index, [copy[0]["seq_no"] for copy in stats["shards"].values()], stats["primaries"]["docs"]


@pytest.fixture
def external(cluster: Cluster, prefix: str) -> ExternalIndexFixture:
    return ExternalIndexFixture(cluster, f"{prefix}external-films")


@pytest.fixture
def variables(server: Server, prefix: str, external: ExternalIndexFixture, tmp_path: Path) -> dict[str, str]:
    return {
        "REELRANK_DATA_DIR": str(tmp_path / "data"),
        "REELRANK_ENGINE": server.product,
        "REELRANK_ENGINE_URL": server.url,
        "REELRANK_ENGINE_PREFIX": prefix,
        "REELRANK_ENGINE_INDEX": external.name,
        "REELRANK_ENGINE_FIELDS": FIELDS,
        "REELRANK_DEADLINE_MS": "5000",
    }


def run(variables: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def list_settings(variables: dict[str, str]) -> dict[str, str]:
    """Returns all variables but the data directory, by the names of the settings."""
    names = {name: name.removeprefix("REELRANK_").lower() for name in variables}
    return {short: variables[name] for name, short in names.items() if short != "data_dir"}


def build_configured_container(variables: dict[str, str]) -> Container:
    settings = {"data_dir": variables["REELRANK_DATA_DIR"], **list_settings(variables)}
    return build_container(Settings.model_validate(settings))


def test_five_steps_rank_an_external_index_without_changing_it(
    external: ExternalIndexFixture, variables: dict[str, str], tmp_path: Path
) -> None:
    external.create(40)
    before = external.read_state()
    report = json.loads(run(variables, "load", "index", "--json"))
    assert (report["read"], report["written"]) == (40, 40)
    start_ms = round(datetime.now(UTC).timestamp() * 1000) - 10**9
    rows = "".join(
        f"u{user},no-{2 * n + user % 2},{start_ms + 10**6 * user + n},5000000\n"
        for user in range(60)
        for n in range(user % 7, user % 7 + 12)
    )
    (tmp_path / "watches.csv").write_text("user,item,at_ms,watched_ms\n" + rows)
    run(variables, "load", "events", str(tmp_path / "watches.csv"), "--kind", "watch")
    run(variables, "train")
    found = json.loads(run(variables, "search", "space story", "--user", "u1", "--limit", "5", "--json"))
    assert [hit["title"].split()[0] for hit in found["hits"]] == ["Space"] * 5
    assert found["model"] != "engine-order"
    home = json.loads(run(variables, "recommend", "u2", "--limit", "5", "--json"))
    assert len(home["hits"]) == 5
    assert not home["degraded"]
    assert external.read_state() == before


def test_a_film_added_by_the_owner_is_found_at_once(
    external: ExternalIndexFixture, variables: dict[str, str]
) -> None:
    external.create(6)
    run(variables, "load", "index")
    external.cluster.request_or_raise("PUT", f"/{external.name}/_settings", {"index": {"blocks.write": None}})
    external.add(7)
    service = warm_service(build_configured_container(variables))
    found = {
        hit.item.id: hit.item for hit in service.serve_page(RankingOptions(Query(text="7", limit=10))).hits
    }
    assert found["no-7"] == Item(
        "no-7", "Space story 7", "Far out at space.", genres=("Space", "Drama"),
        people=("Ann Actor 1", "Bob"), languages=("English",),
        published_at=datetime(2007, 6, 1, tzinfo=UTC), duration_s=97 * 60,
    )  # fmt: skip


def test_filters_use_the_mapped_fields(external: ExternalIndexFixture, variables: dict[str, str]) -> None:
    external.create(6)
    run(variables, "load", "index")
    service = warm_service(build_configured_container(variables))
    expected = {
        Filters(genres=("sea",)): {0, 2, 4},
        Filters(languages=("english",), year_min=2001, year_max=2002): {1, 2},
        Filters(duration_min_s=94 * 60): {4, 5},
        Filters(countries=("France",)): set[int](),
    }
    for filters, numbers in expected.items():
        hits = service.serve_page(RankingOptions(Query(text="story", limit=10, filters=filters))).hits
        assert {hit.item.id for hit in hits} == {f"no-{number}" for number in numbers}, filters


def test_a_lost_external_shard_degrades_pages_and_stops_loads(
    external: ExternalIndexFixture, variables: dict[str, str]
) -> None:
    external.create(4)
    run(variables, "load", "index")
    nowhere = {"settings": {"index": {"routing.allocation.require.box": "none"}}, "mappings": MAPPING}
    external.cluster.request_or_raise("PUT", f"/{external.name}-lost", nowhere, wait_for_active_shards="0")
    variables["REELRANK_ENGINE_INDEX"] = f"{external.name}*"
    parts = build_configured_container(variables)
    service = start_service(parts.settings.data_dir, True, workers=1, **list_settings(variables))
    before = count_failures(service)
    page = service.get("/v1/search?q=story&limit=10")
    assert (page.status, len(page.json["hits"])) == (200, 4)
    assert any("1 of 2 shards" in reason for reason in page.json["degraded"])
    assert (count_failures(service) - before)["bm25", "Partial"] == 1
    assert count_degraded_pages(service) == len(expect_warnings(page)[0])
    service.stop()
    assert read_event_warnings(parts.events, page) == expect_warnings(page)
    done = subprocess.run(
        [*COMMAND, "load", "index"], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "1 of 2 shards" in done.stderr) == (3, True)
    assert [version.serving for version in parts.engine.versions()] == [True]


def test_an_external_index_is_read_only(external: ExternalIndexFixture, variables: dict[str, str]) -> None:
    external.create(1)
    engine = build_configured_container(variables).engine
    for change in (lambda: engine.upsert([Document(Item("a", "A"))]), lambda: engine.delete(["no-0"])):
        with raises_code(BadRequest, "read_only_index"):
            change()


def test_a_missing_external_index_is_named(variables: dict[str, str]) -> None:
    done = subprocess.run(
        [*COMMAND, "load", "index"], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert variables["REELRANK_ENGINE_INDEX"] in done.stderr

"""The lake on S3: everything that it does on a disk, by URL, against a server on this machine."""

import http.client
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS
from reelrank.index_mappings.errors import Unavailable
from reelrank.loaders.lake.attribution import DatePart, attribute_part
from reelrank.loaders.lake.check import check_lake
from reelrank.loaders.lake.compaction import CompactionOptions, compact
from reelrank.loaders.lake.exporter import export_events
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.lake.user_keys import UserKeys
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.unit.loaders.lake_rows import (
    DAY,
    END,
    MORNING,
    NEXT_DAY,
    build_event,
    read_request_ids,
    read_rows,
    to_ms,
    write_decisions,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of an S3 server with the bucket `films`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    connection = http.client.HTTPConnection(host, port)
    connection.request("PUT", "/films")
    assert connection.getresponse().status == 200
    yield f"{host}%3A{port}"
    server.stop()


@pytest.fixture
def storage(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LakeStorage:
    monkeypatch.setitem(os.environ, "AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setitem(os.environ, "AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setitem(os.environ, "AWS_EC2_METADATA_DISABLED", "true")
    url = f"s3://films/{tmp_path.name}?endpoint_override=http%3A%2F%2F{address}&region=us-east-1"
    return LakeStorage(url, tmp_path / "locks")


def export(storage: LakeStorage, directory: Path) -> int:
    events, keys = EmbeddedEvents(directory / "engine"), UserKeys(directory / "lake.key")
    return export_events(storage, events, keys, lambda: NEXT_DAY, ignore_progress).events


def test_a_day_is_exported_read_compacted_checked_and_attributed(
    storage: LakeStorage, tmp_path: Path
) -> None:
    events = EmbeddedEvents(tmp_path / "engine")
    write_decisions(storage, ["r1", "r2"])
    write_decisions(storage, ["r2", "r3"], MORNING + timedelta(seconds=1))  # a writer that tried again
    events.append([build_event("e1", MORNING + timedelta(minutes=2), request_id="r1")])
    assert (export(storage, tmp_path), export(storage, tmp_path)) == (1, 0)
    assert [row["id"] for row in read_rows(storage, EVENTS)] == ["e1"]
    assert set(read_request_ids(storage)) == {"r1", "r2", "r3"}
    before = {table: read_rows(storage, table) for table in (CANDIDATES, EVENTS)}
    report = compact(storage, CompactionOptions(NEXT_DAY), ignore_progress)
    assert report.files_after == 3
    assert {table: read_rows(storage, table) for table in (CANDIDATES, EVENTS)} == before
    assert not check_lake(storage, ignore_progress).problems
    with attribute_part(Lake(storage), DatePart(DAY), to_ms(END)) as batches:
        clicked = [row["request_id"] for batch in batches for row in batch.to_pylist() if row["clicked"]]
    assert clicked == ["r1"]
    urls = Lake(storage).list_urls(REQUESTS, MORNING, NEXT_DAY)
    assert all(url.startswith(f"s3://films/{tmp_path.name}/requests/date=2026-03-04/") for url in urls)


def test_a_bucket_that_is_not_there_is_named(storage: LakeStorage, tmp_path: Path) -> None:
    other = LakeStorage(storage.url.replace("s3://films/", "s3://nobody/"), tmp_path / "locks")
    with raises_code(Unavailable, "lake_unreachable"):
        write_decisions(other, ["r1"])

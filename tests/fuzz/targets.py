"""What is fuzzed: functions of bytes that return, or raise an error that says what is wrong with the bytes.

Any other exception is a finding. Where one target has several readers, the first byte chooses.
"""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import orjson
from flask.testing import FlaskClient
from pydantic import ValidationError

from reelrank.app.engines.server.external.external_fields import parse_external_fields
from reelrank.app.jobs.backup import restore
from reelrank.app.settings import Settings
from reelrank.app.web.api.events import parse_events
from reelrank.app.web.api.item_bodies import ItemPatchBody, build_item, change_item, parse_items
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.web.problems import InvalidRequest
from reelrank.app.wiring import warm_service
from reelrank.index_mappings.decision import REQUESTS
from reelrank.index_mappings.errors import CodedError
from reelrank.loaders.events.column_names import EVENT_COLUMNS
from reelrank.loaders.events.event_files import EventLoad, check_event_files
from reelrank.loaders.fields.field_map import FieldRules, parse_field_pairs, read_mapping
from reelrank.loaders.files.source import open_source_files
from reelrank.loaders.items.catalogue import LoadOptions
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.item_files import check_item_files
from reelrank.loaders.items.item_writer import ItemLoad
from reelrank.loaders.lake.manifest import read_manifest, read_position
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.manifest import Manifest
from reelrank.ranking.rankers.manifest import read_manifest as read_model_manifest
from reelrank.ranking.registry.releases import decode_pointer, decode_release
from reelrank.ranking.wire.arrow_check import Limits
from reelrank.ranking.wire.feature_rows import from_bytes
from tests.sample_project import build_project

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = date(2026, 11, 27)
ARROW_LIMITS = Limits(rows=1000, columns=8, size=100_000)
ARROW_COLUMNS = ("a", "b")
OPTIONS = LoadOptions(created_at=NOW, max_reject_share=1.0)
REFUSED = (CodedError, InvalidRequest, ValidationError)
INTERNAL_ERROR = 500


@cache
def get_directory() -> Path:
    return Path(tempfile.mkdtemp(prefix="reelrank-fuzz-"))


def write(name: str, content: bytes) -> Path:
    path = get_directory() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def parse_ubi(data: bytes) -> None:
    """Events, ours and UBI: the body of a request, and a file."""
    with suppress(*REFUSED):
        parse_events(data, NOW)
    with suppress(CodedError), open_source_files(str(write("events.jsonl", data)), None) as (files, _):
        rules = FieldRules(EVENT_COLUMNS)
        check_event_files(EventLoad(files, rules, get_directory() / "rejects", OPTIONS))


def parse_catalogue(data: bytes) -> None:
    """Items: the bodies of a bulk request and of a change, and files of three formats."""
    with suppress(*REFUSED):
        items, _ = parse_items(data)
        for item in items:
            orjson.dumps(item)
    with suppress(*REFUSED, orjson.JSONDecodeError):
        body = ItemPatchBody.model_validate(orjson.loads(data))
        change_item(build_item("a", body), body)
    suffix = ("jsonl", "csv", "tsv")[data[0] % 3] if data else "jsonl"
    with suppress(CodedError), open_source_files(str(write(f"items.{suffix}", data[1:])), None) as (files, _):
        rules = FieldRules(ITEM_FIELDS, duration_unit="min", latest_date=date(2027, 12, 31))
        check_item_files(ItemLoad(files, rules, get_directory() / "rejects", OPTIONS))


def parse_mapping(data: bytes) -> None:
    """Mappings: a TOML file and its use, options of the command line, the setting of an existing index."""
    with suppress(CodedError):
        fields, settings = read_mapping(write("mapping.toml", data))
        FieldRules(ITEM_FIELDS, stated=fields, date_format=settings.get("date_format"))
    text = data.decode(errors="replace")
    with suppress(CodedError):
        FieldRules(EVENT_COLUMNS, stated=parse_field_pairs(text.splitlines()))
    with suppress(CodedError, orjson.JSONDecodeError):
        first, _, document = text.partition("\n")
        content = orjson.loads(document) if document.startswith("{") else {}
        parse_external_fields(first).decode_item("a", content)


def parse_manifest(data: bytes) -> None:
    """Manifests: of a model, of a date and the position of the lake, of releases, of a backup."""
    kind, content = data[:1], data[1:]
    lake = LakeStorage(str(get_directory() / "lake"))
    with suppress(CodedError, ValueError if kind == b"0" else CodedError):
        if kind == b"0":
            manifest: Manifest = read_model_manifest(write("model/manifest.json", content).parent)
            manifest.model_dump_json()
        elif kind == b"1":
            write(f"lake/{REQUESTS}/date={DAY}/_manifest.json", content)
            read_manifest(lake, REQUESTS, DAY)
        elif kind == b"2":
            write("lake/events/_position.json", content)
            read_position(lake)
        elif kind == b"3":
            decode_pointer(content, "pointer")
        elif kind == b"4":
            decode_release(content, "release")
        else:
            write("backup/backup.json", content)
            settings = Settings.model_validate({"data_dir": get_directory() / "restored"})
            restore(settings, get_directory() / "backup", ignore_progress)


def parse_arrow(data: bytes) -> None:
    """Feature rows."""
    with suppress(ValueError):
        from_bytes(data, ARROW_COLUMNS, ARROW_LIMITS)


@cache
def open_client() -> FlaskClient:
    """Returns a client of the whole application on a small project."""
    parts = build_project(get_directory() / "data", NOW)
    return create_app(warm_service(parts), WebOptions(1_000_000, parts.settings.reports_dir)).test_client()


def send(path: str, data: bytes) -> None:
    """Sends a query string as it is; an answer is a page or a problem, never an internal error."""
    answer = open_client().get(path, query_string=data.decode("latin-1"))
    if answer.status_code == INTERNAL_ERROR:
        raise AssertionError(f"{answer.status_code} {answer.get_data()[:500]!r}")


def send_filters(data: bytes) -> None:
    """Filters and other parameters of a search, of a list and of the page."""
    for path in ("/v1/search", "/v1/new", "/search"):
        send(path, data)


def send_cursor(data: bytes) -> None:
    """Cursors of a list, beside an offset of one that exists, and of the catalogue."""
    first = open_client().get("/v1/search?q=story&limit=3&user=fuzz").get_json()["cursor"]
    request_id = first.partition(".")[0].encode()
    for cursor in (data, request_id + b"." + data):
        send("/v1/search", b"limit=3&cursor=" + cursor)
    send("/v1/items", b"cursor=" + data)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "ubi": parse_ubi,
    "catalogue": parse_catalogue,
    "mappings": parse_mapping,
    "manifests": parse_manifest,
    "arrow": parse_arrow,
    "filters": send_filters,
    "cursors": send_cursor,
}
SERVED = frozenset({"filters", "cursors"})
"""Targets that need a project, which takes a second to build."""

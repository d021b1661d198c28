"""Files that do not contain rows of text are refused with a description and advice."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.event import Event
from reelrank.loaders.events.column_names import EVENT_COLUMNS
from reelrank.loaders.events.event_files import EventLoad, load_event_files
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.files.source import SourceError, open_source_files
from reelrank.loaders.items.catalogue import LoadOptions, LoadRejected
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.item_files import check_item_files
from reelrank.loaders.items.item_writer import ItemLoad
from tests.raised import raises_code

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OPTIONS = LoadOptions(created_at=NOW)
CSV = "id,title\n" + "".join(f"f{n},Film \N{LATIN SMALL LETTER E WITH ACUTE} {n}\n" for n in range(50))


def open_load(path: Path) -> ItemLoad:
    with open_source_files(str(path), None) as (files, _):
        return ItemLoad(files, FieldRules(ITEM_FIELDS), path.parent / "rejects.jsonl", OPTIONS)


NOT_TEXT = {
    "UTF-16 without a byte order mark": (CSV.encode("utf-16-le"), "control characters.*--encoding"),
    "gzip twice": (gzip.compress(gzip.compress(CSV.encode())), "compressed twice"),
    "Parquet": (b"PAR1\x15\x04", "Parquet; add --format parquet"),
    "random bytes": (np.random.default_rng(0).bytes(300_000), "control characters"),
    "random bytes, compressed": (gzip.compress(np.random.default_rng(0).bytes(9000)), "control characters"),
    "a few random bytes": (np.random.default_rng(1).bytes(200), "control characters"),
}


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("kind", NOT_TEXT)
def test_a_file_that_is_not_text_is_refused_with_its_type(tmp_path: Path, kind: str, suffix: str) -> None:
    content, message = NOT_TEXT[kind]
    (tmp_path / f"films.{suffix}").write_bytes(content)
    with raises_code(SourceError, "source_format_mismatch", match=f"films.{suffix} is not .*{message}"):
        check_item_files(open_load(tmp_path / f"films.{suffix}"))


EMPTY = {
    "films.csv": (b"", r"films.csv is empty \(0 bytes\)"),
    "films.jsonl": (b"", r"films.jsonl is empty \(0 bytes\)"),
    "films.csv.gz": (gzip.compress(b""), "films.csv.gz is empty after decompression"),
    "blank.jsonl": (b"\n \r\n", "blank.jsonl has only blank lines"),
    "header.csv": (b"id,title\n", "header.csv has a header but no rows"),
    "unended.csv": (b"id,title", "unended.csv has a header but no rows"),
}


@pytest.mark.parametrize("name", EMPTY)
def test_a_file_without_rows_is_refused_with_a_description(tmp_path: Path, name: str) -> None:
    content, message = EMPTY[name]
    (tmp_path / name).write_bytes(content)
    with raises_code(LoadRejected, "no_rows", match=f"no rows were read: .*{message}"):
        check_item_files(open_load(tmp_path / name))


def test_an_empty_file_beside_others_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    (tmp_path / "b.csv").write_text(CSV)
    assert check_item_files(open_load(tmp_path)).written == 50


def test_an_empty_event_file_is_refused_with_a_description(tmp_path: Path) -> None:
    (tmp_path / "watches.csv").write_bytes(b"")
    with open_source_files(str(tmp_path / "watches.csv"), None) as (files, _):
        load = EventLoad(files, FieldRules(EVENT_COLUMNS), tmp_path / "rejects.jsonl", OPTIONS)
    store = EmbeddedEvents(tmp_path / "events")
    with raises_code(LoadRejected, "no_rows"):
        load_event_files(load, store)
    assert store.append([Event("1", "watch", "ada", 5, "f1")]).stored == 1


@pytest.mark.parametrize(
    "title", ["a\x00b", "\x1b[1mloud\x1b[0m", "\N{PILE OF POO}" * 200, "\N{CYRILLIC SMALL LETTER YA}" * 300]
)
def test_text_with_unusual_characters_is_accepted(tmp_path: Path, title: str) -> None:
    (tmp_path / "films.csv").write_text(f"id,title\nf1,{title}\n")
    assert check_item_files(open_load(tmp_path / "films.csv")).read == 1

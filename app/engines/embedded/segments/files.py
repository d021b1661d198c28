"""Segments on disk: built whole from the truth, renamed into place, mapped by every process that reads them.

A directory for each version holds one folder for each segment, named for the change it covers.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelrank.app.engines.embedded.filters.bitmap import unpack
from reelrank.app.engines.embedded.segments.builder import Row, SegmentBuilder
from reelrank.app.engines.embedded.segments.column_file import ColumnFile, read_columns
from reelrank.app.engines.embedded.segments.segment import Segment, assemble_segment
from reelrank.app.engines.embedded.store.database import begin_read, read_last_seq
from reelrank.app.engines.embedded.store.documents import COLUMNS
from reelrank.app.engines.embedded.vectors.ivf import open_ivf, train_ivf
from reelrank.app.engines.embedded.vectors.vector_index import MIN_IVF_VECTORS
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.match import ID_DTYPE, ItemIds
from reelrank.ranking.durable import remove_leftovers, replace_directory

SCHEMA = 2
METADATA_FILE, COLUMNS_FILE = "facts.json", "columns.bin"
BATCH = 2_000


class DamagedSegment(Exception):
    """A segment that is not whole or not of this build; it is built again from the truth."""


def build_segment(connection: sqlite3.Connection, version: str, directory: Path) -> None:
    """Writes a segment of everything a version holds now; older ones go. For whoever holds its lock."""
    remove_leftovers(directory, min_age_s=0)
    with ExitStack() as stack:
        with begin_read(connection):  # ends before the IVF training: a long read would let the WAL grow
            seq = read_last_seq(connection, version)
            temporary = stack.enter_context(replace_directory(directory / f"{seq:015d}"))
            columns = ColumnFile(temporary / COLUMNS_FILE)
            builder = SegmentBuilder(*_read_ids(connection, version), columns.allocate)
            for batch in _scan_rows(connection, version):
                builder.add(batch)
        builder.finish()
        facts = {"schema": SCHEMA, "seq": seq, "names": builder.names, "columns": columns.layouts}
        facts["probes"] = _train_ivf_indexes(builder, temporary)
        facts["files"] = {path.name: path.stat().st_size for path in temporary.iterdir()}
        (temporary / METADATA_FILE).write_text(json.dumps(facts, ensure_ascii=False))
    for older in list_segments(directory)[1:]:
        shutil.rmtree(older, ignore_errors=True)


def list_segments(directory: Path) -> list[Path]:
    """The segments of a version, newest first."""
    if not directory.exists():
        return []
    return sorted((path for path in directory.iterdir() if path.name.isdigit()), reverse=True)


def open_newest_segment(directory: Path) -> Segment | None:
    """The newest segment that is whole; None when there is none."""
    for path in list_segments(directory):
        try:
            return open_segment(path)
        except DamagedSegment:
            continue
    return None


def open_segment(path: Path) -> Segment:
    """Maps a segment into memory. Raises Damaged."""
    try:
        facts = json.loads((path / METADATA_FILE).read_text())
        sizes = {name: (path / name).stat().st_size for name in facts["files"]}
        if facts["schema"] != SCHEMA or sizes != facts["files"]:
            raise DamagedSegment(f"{path} is of another schema, or its files are not as long as they were")
        arrays = read_columns(path / COLUMNS_FILE, facts["columns"])
        cells = {
            field: open_ivf(path / f"{field}.faiss", tuple(probes), arrays[f"cell_of_{field}"])
            for field, probes in facts["probes"].items()
        }
        return assemble_segment(facts["seq"], facts["names"], arrays, cells)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DamagedSegment(f"{path} cannot be read: {error!r}") from error


def _read_ids(connection: sqlite3.Connection, version: str) -> tuple[ItemIds, NDArray[np.int64]]:
    """Ids of a version in their order, deleted ones among them, and their rows."""
    size = connection.execute("select count(*) from documents where version = ?", (version,)).fetchone()[0]
    ids, rows = np.empty(size, ID_DTYPE), np.empty(size, np.int64)
    found = connection.execute("select id, row from documents where version = ? order by id", (version,))
    for start in range(0, size, BATCH):
        part = found.fetchmany(BATCH)
        ids[start : start + len(part)] = [name for name, _ in part]
        rows[start : start + len(part)] = [row for _, row in part]
    return ids, rows


def _scan_rows(connection: sqlite3.Connection, version: str) -> Iterator[list[Row]]:
    """Everything in the order it was written, which is about the order it lies in."""
    found = connection.execute(f"select {COLUMNS} from documents where version = ? order by seq", (version,))
    while batch := found.fetchmany(BATCH):
        yield batch


def _train_ivf_indexes(builder: SegmentBuilder, directory: Path) -> dict[str, tuple[int, ...]]:
    """Cells of the vector fields that have enough vectors, side by side, and how many to probe."""
    waiting = {}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for field in VECTOR_FIELDS:
            places = unpack(builder.arrays[f"stated_{field}"], builder.size)
            if len(places) >= MIN_IVF_VECTORS:
                vectors = builder.arrays[f"vector_{field}"]
                cell_of = builder.allocate(f"cell_of_{field}", (builder.size,), np.int32)
                path = directory / f"{field}.faiss"
                waiting[field] = threads.submit(train_ivf, vectors, places, path, cell_of)
        return {field: probes.result() for field, probes in waiting.items()}

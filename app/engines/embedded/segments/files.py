"""Segments on disk: built from the database, renamed into place, mapped by every process that reads them.

The directory of a version has one folder per segment, named by the last change in it.
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

SCHEMA = 3
METADATA_FILE, COLUMNS_FILE = "facts.json", "columns.bin"
BATCH = 2_000


class DamagedSegment(Exception):
    """A segment that is damaged or of another format; it is rebuilt from the database."""


def build_segment(connection: sqlite3.Connection, version: str, directory: Path) -> None:
    """Writes a segment of the whole version and removes older ones. The caller must hold the segment lock."""
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
        metadata = {"schema": SCHEMA, "seq": seq, "names": builder.names, "columns": columns.layouts}
        metadata["probes"] = _train_ivf_indexes(builder, temporary)
        metadata["files"] = {path.name: path.stat().st_size for path in temporary.iterdir()}
        (temporary / METADATA_FILE).write_text(json.dumps(metadata, ensure_ascii=False))
    for older in list_segments(directory)[1:]:
        shutil.rmtree(older, ignore_errors=True)


def list_segments(directory: Path) -> list[Path]:
    """Lists the segments of a version, newest first."""
    if not directory.exists():
        return []
    return sorted((path for path in directory.iterdir() if path.name.isdigit()), reverse=True)


def open_newest_segment(directory: Path) -> Segment | None:
    """Opens the newest intact segment; None if there is none."""
    for path in list_segments(directory):
        try:
            return open_segment(path)
        except DamagedSegment:
            continue
    return None


def open_segment(path: Path) -> Segment:
    """Maps a segment into memory. Raises DamagedSegment."""
    try:
        metadata = json.loads((path / METADATA_FILE).read_text())
        sizes = {name: (path / name).stat().st_size for name in metadata["files"]}
        if metadata["schema"] != SCHEMA or sizes != metadata["files"]:
            raise DamagedSegment(f"{path} has another format, or files of other sizes")
        arrays = read_columns(path / COLUMNS_FILE, metadata["columns"])
        ivf_indexes = {
            field: open_ivf(path / f"{field}.faiss", tuple(nprobes), arrays[f"cell_of_{field}"])
            for field, nprobes in metadata["probes"].items()
        }
        return assemble_segment(metadata["seq"], metadata["names"], arrays, ivf_indexes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise DamagedSegment(f"{path} cannot be read: {error!r}") from error


def _read_ids(connection: sqlite3.Connection, version: str) -> tuple[ItemIds, NDArray[np.int64]]:
    """Reads the ids of a version in order, including deleted ones, and their rows."""
    size = connection.execute("select count(*) from documents where version = ?", (version,)).fetchone()[0]
    ids, rows = np.empty(size, ID_DTYPE), np.empty(size, np.int64)
    cursor = connection.execute("select id, row from documents where version = ? order by id", (version,))
    for start in range(0, size, BATCH):
        batch = cursor.fetchmany(BATCH)
        ids[start : start + len(batch)] = [item_id for item_id, _ in batch]
        rows[start : start + len(batch)] = [row for _, row in batch]
    return ids, rows


def _scan_rows(connection: sqlite3.Connection, version: str) -> Iterator[list[Row]]:
    """Yields all rows in the order of writing, which is nearly their order on disk."""
    cursor = connection.execute(f"select {COLUMNS} from documents where version = ? order by seq", (version,))
    while batch := cursor.fetchmany(BATCH):
        yield batch


def _train_ivf_indexes(builder: SegmentBuilder, directory: Path) -> dict[str, tuple[int, ...]]:
    """Trains IVF indexes of the fields with enough vectors, in parallel. Returns nprobe by field."""
    futures = {}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for field in VECTOR_FIELDS:
            doc_ids = unpack(builder.arrays[f"stated_{field}"], builder.size)
            if len(doc_ids) >= MIN_IVF_VECTORS:
                vectors = builder.arrays[f"vector_{field}"]
                assignments = builder.allocate(f"cell_of_{field}", (builder.size,), np.int32)
                path = directory / f"{field}.faiss"
                futures[field] = threads.submit(train_ivf, vectors, doc_ids, path, assignments)
        return {field: future.result() for field, future in futures.items()}

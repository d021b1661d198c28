"""Readers that stream the rows of a source file. Memory is bounded by a block, not by the file's size."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reelrank.loaders.files.content_type import check_is_text
from reelrank.loaders.files.csv_reader import read_csv
from reelrank.loaders.files.json_reader import read_json
from reelrank.loaders.files.rows import ArrowBlock, Rows
from reelrank.loaders.files.source import Format, SourceError, SourceFile
from reelrank.loaders.files.streams import DECOMPRESSION_ERRORS, StreamError

BLOCK_BYTES = 1 << 20
PARQUET_BATCH_ROWS = 1000
READ_ERRORS = (
    pa.ArrowException,
    OSError,
    UnicodeError,
    NotImplementedError,  # a compression that Python's zipfile does not read
    StreamError,
    *DECOMPRESSION_ERRORS,
)


def read_rows(file: SourceFile) -> Iterator[Rows]:
    """Yields every row of the file, in order. Raises SourceError when the file cannot be read."""
    try:
        if file.format != "parquet":
            check_is_text(file)
        yield from READERS[file.format](file)
    except READ_ERRORS as error:
        raise SourceError(
            f"{file.name} cannot be read as {file.format}: {error}. "
            "Check that the file is complete, or name its format with --format"
        ) from error


def read_parquet(file: SourceFile) -> Iterator[Rows]:
    """Yields the rows of a Parquet file, numbered from 1. One page of each column is in memory at a time."""
    with _unpack(file) as path, pq.ParquetFile(path, buffer_size=BLOCK_BYTES, pre_buffer=False) as parquet:
        total, row = max(parquet.metadata.num_rows, 1), 0
        for batch in parquet.iter_batches(PARQUET_BATCH_ROWS):
            numbers = np.arange(row + 1, row + 1 + batch.num_rows)
            row += batch.num_rows
            yield Rows(file.name, numbers, ArrowBlock(batch), (), row / total)


@contextmanager
def _unpack(file: SourceFile) -> Iterator[Path]:
    """Yields the path of a seekable file; a compressed file is decompressed into a temporary one."""
    if not file.is_packed:
        yield file.path
        return
    with TemporaryDirectory(prefix="reelrank-") as directory, file.open_stream() as (stream, _):
        path = Path(directory) / "unpacked"
        with path.open("wb") as plain:
            shutil.copyfileobj(stream, plain, 1 << 20)
        yield path


READERS: dict[Format, Callable[[SourceFile], Iterator[Rows]]] = {
    "csv": read_csv,
    "tsv": read_csv,
    "jsonl": read_json,
    "parquet": read_parquet,
}

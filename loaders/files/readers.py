"""Readers that stream the rows of a source file. Memory is bounded by a block, not by the file's size."""

from collections.abc import Callable, Iterator

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from reelrank.loaders.files.content_type import check_is_text
from reelrank.loaders.files.csv_reader import read_csv
from reelrank.loaders.files.rows import ArrowBlock, RecordBlock, Reject, Rows
from reelrank.loaders.files.source import Format, SourceError, SourceFile, unpack

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 64 << 20
"""A JSON line has to fit in memory; a longer one means a file without line ends."""
PARQUET_BATCH_ROWS = 1000


def read_rows(file: SourceFile) -> Iterator[Rows]:
    """Yields every row of the file, in order. Raises SourceError when the file cannot be read."""
    try:
        if file.format != "parquet":
            check_is_text(file)
        yield from READERS[file.format](file)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{file.name} cannot be read as {file.format}: {error}. "
            "Check that the file is complete, or name its format with --format"
        ) from error


def read_parquet(file: SourceFile) -> Iterator[Rows]:
    """Yields the rows of a Parquet file, numbered from 1. One page of each column is in memory at a time."""
    with unpack(file) as path, pq.ParquetFile(path, buffer_size=BLOCK_BYTES, pre_buffer=False) as parquet:
        total, row = max(parquet.metadata.num_rows, 1), 0
        for batch in parquet.iter_batches(PARQUET_BATCH_ROWS):
            numbers = np.arange(row + 1, row + 1 + batch.num_rows)
            row += batch.num_rows
            yield Rows(file.name, numbers, ArrowBlock(batch), (), row / total)


def read_jsonl(file: SourceFile) -> Iterator[Rows]:
    """Yields the JSON objects of a file, numbered by line. A blank line has a number but is not a row."""
    with file.open_stream() as (stream, raw):
        line, rest = 0, b""
        while block := stream.read(BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            if not line and (lines[0] if lines else rest).lstrip(b"\xef\xbb\xbf \t\r").startswith(b"["):
                raise SourceError(
                    f"{file.name} is one JSON array; write one object per line instead: "
                    "jq -c '.[]' FILE > OTHER.jsonl"
                )
            if len(rest) > MAX_LINE_BYTES:
                raise SourceError(
                    f"line {line + len(lines) + 1} of {file.name} is longer than 64 MB; "
                    "write one JSON object per line"
                )
            if lines:
                yield _parse_json_lines(file, lines, line, raw.tell() / max(file.size, 1))
                line += len(lines)
        if rest.strip():
            yield _parse_json_lines(file, [rest], line, 1.0)


def _parse_json_lines(file: SourceFile, lines: list[bytes], lines_before: int, done_share: float) -> Rows:
    records, numbers, unreadable = [], [], []
    for number, line in enumerate(lines, lines_before + 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text or text.isspace():
            continue
        try:
            record = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            reason = f"the line is not valid JSON: {error}"
        else:
            if isinstance(record, dict):
                records.append(record)
                numbers.append(number)
                continue
            reason = f'the line is a JSON {JSON_TYPES[type(record)]}, not an object such as {{"id": ...}}'
        unreadable.append(Reject(file.name, number, reason, text.decode(errors="replace")))
    return Rows(
        file.name, np.array(numbers, np.int64), RecordBlock(records), tuple(unreadable), min(done_share, 1.0)
    )


JSON_TYPES: dict[type, str] = {
    list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null",
}  # fmt: skip
READERS: dict[Format, Callable[[SourceFile], Iterator[Rows]]] = {
    "csv": read_csv,
    "tsv": read_csv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}

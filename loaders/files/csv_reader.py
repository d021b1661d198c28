"""CSV: every value read as text, so that no block can surprise the next with another type."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from reelrank.loaders.files.rows import ArrowBlock, Reject, Rows
from reelrank.loaders.files.source import SourceError, SourceFile

BLOCK_BYTES = 1 << 20
MAX_COLUMNS = 5000
HEADER_ROW = 1
DELIMITERS = (",", ";", "\t", "|")
MAX_HEADER_BYTES = 1 << 16


def read_csv(file: SourceFile) -> Iterator[Rows]:
    """Row numbers count rows after the header; blank lines do not count, a value may hold line ends."""
    delimiter = detect_delimiter(file)
    misfits: list[pa_csv.InvalidRow] = []

    def skip_invalid_row(row: pa_csv.InvalidRow) -> str:
        misfits.append(row)
        return "skip"

    with file.open_stream() as (stream, raw):
        parse = pa_csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip_invalid_row
        )
        names: list[str] = []
        record = 0
        for number, batch in enumerate(_read_batches(stream, parse), 1):
            kept, broken = _assign_row_numbers(batch.num_rows, record, misfits)
            record = max(int(kept[-1]) if len(kept) else 0, *(m.number for m in broken), record)
            del misfits[: len(broken)]
            rows = batch
            if not names and batch.num_rows:
                names, rows, kept = _read_header(file, batch), batch.slice(1), kept[1:]
            if names:
                # the reader reads ahead, so of a plain file the blocks that it gave are counted
                given = raw.tell() if file.compression else number * BLOCK_BYTES
                yield _build_rows(file, names, rows, (kept, broken), given / max(file.size, 1))
        if misfits:
            yield _build_rows(file, names, rows.slice(0, 0), (np.empty(0, np.int64), misfits), 1.0)


def detect_delimiter(file: SourceFile) -> str:
    """What stands most often in the header outside of quotes; a comma where nothing does."""
    with file.open_stream() as (stream, _):
        header = stream.read(MAX_HEADER_BYTES).split(b"\n")[0].decode(errors="replace")
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=bare.count)


def _read_batches(stream: Any, parse_options: Any) -> Iterator[pa.RecordBatch]:
    """The header is the first row, since types must be told before names are known."""
    read = pa_csv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=BLOCK_BYTES)
    convert = pa_csv.ConvertOptions(column_types={f"f{n}": pa.binary() for n in range(MAX_COLUMNS)})
    try:
        reader = pa_csv.open_csv(stream, read, parse_options, convert)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):  # said of a file without bytes and of a header without a line end
            return
        raise
    yield from reader


def _assign_row_numbers(size: int, last_number: int, invalid_rows: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Record numbers of the next `size` good rows, given the numbers of the rows that were set aside."""
    taken = np.array(sorted(m.number for m in invalid_rows), np.int64)
    span = np.arange(last_number + 1, last_number + 1 + size + len(taken))
    kept = span[~np.isin(span, taken)][:size]
    last = int(kept[-1]) if size else last_number
    return kept, [m for m in invalid_rows if m.number < last]


def _read_header(file: SourceFile, batch: pa.RecordBatch) -> list[str]:
    values = [batch.column(n)[0].as_py().decode(errors="replace").strip() for n in range(batch.num_columns)]
    names = [name or f"column_{place}" for place, name in enumerate(values, 1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"{file.name} names a column twice: {', '.join(twice)}; rename one of them")
    return names


def _build_rows(
    file: SourceFile,
    names: list[str],
    batch: pa.RecordBatch,
    numbers_and_invalid_rows: tuple[Any, list[Any]],
    done: float,
) -> Rows:
    numbers, broken = numbers_and_invalid_rows
    unreadable = [
        Reject(
            file.name,
            m.number - HEADER_ROW,
            f"it has {m.actual_columns} values, the header {m.expected_columns}",
            m.text,
        )
        for m in broken
    ]
    bad = _find_non_utf8_rows(batch)
    for place in bad:
        values = [batch.column(n)[place].as_py().decode(errors="replace") for n in range(batch.num_columns)]
        reject = Reject(
            file.name,
            int(numbers[place]) - HEADER_ROW,
            "it is not UTF-8; Latin-1 becomes so by: iconv -f LATIN1 -t UTF-8 FILE > OTHER",
            dict(zip(names, values, strict=True)),
        )
        unreadable.append(reject)
    if bad:
        keep = np.setdiff1d(np.arange(batch.num_rows), bad)
        batch, numbers = batch.take(pa.array(keep)), numbers[keep]
    columns = [column.cast(pa.string()) for column in batch.columns]
    block = ArrowBlock(pa.RecordBatch.from_arrays(columns, names))
    unreadable.sort(key=lambda reject: reject.row)
    return Rows(file.name, numbers - HEADER_ROW, block, tuple(unreadable), min(done, 1.0))


def _find_non_utf8_rows(batch: pa.RecordBatch) -> list[int]:
    """Places of rows with a value that is not UTF-8; looked for only when there is one."""
    bad = set()
    for column in batch.columns:
        try:
            column.cast(pa.string())
        except pa.ArrowInvalid:
            for place, value in enumerate(column.to_pylist()):
                try:
                    value.decode()
                except UnicodeDecodeError:
                    bad.add(place)
    return sorted(bad)

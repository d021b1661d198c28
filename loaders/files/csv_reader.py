"""CSV and TSV reader. Every value is read as text, so that all blocks of a file have the same types."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from reelrank.loaders.files.dialect import INVALID_TEXT, FilteredStream, detect_dialect
from reelrank.loaders.files.rows import ArrowBlock, Reject, Rows
from reelrank.loaders.files.source import SourceError, SourceFile

BLOCK_BYTES = 1 << 20
"""1 MB: large enough to parse fast, small enough that a block's rows fit in memory many times over."""
MAX_COLUMNS = 5000
"""pyarrow needs the type of each column before it reads the header, so columns are declared in advance."""
HEADER_ROW = 1
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def read_csv(file: SourceFile) -> Iterator[Rows]:
    """Yields the rows of a file. Row numbers count rows after the header, without blank lines.

    Raises SourceError when a lone quote mark makes a value contain rows, and for too many columns.
    """
    dialect = detect_dialect(file)
    invalid_rows: list[pa_csv.InvalidRow] = []

    def skip_invalid_row(row: pa_csv.InvalidRow) -> str:
        invalid_rows.append(row)
        return "skip"

    with file.open_text() as (text, raw):
        stream = text if dialect.filter_line is None else FilteredStream(text, dialect.filter_line)
        parse = pa_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if dialect.has_quotes else False,
            newlines_in_values=dialect.has_quotes,
            invalid_row_handler=skip_invalid_row,
        )
        block_bytes = max(BLOCK_BYTES, 2 * dialect.longest_row)
        names: list[str] = []
        record = 0
        for number, batch in enumerate(_read_batches(stream, parse, block_bytes), 1):
            kept, broken = _assign_row_numbers(batch.num_rows, record, invalid_rows)
            record = max(int(kept[-1]) if len(kept) else 0, *(m.number for m in broken), record)
            del invalid_rows[: len(broken)]
            rows = batch
            if not names and batch.num_rows:
                names, rows, kept = _read_header(file, batch), batch.slice(1), kept[1:]
            if names:
                # pyarrow reads ahead in an uncompressed file, so count the blocks it has returned instead
                bytes_read = raw.tell() if file.is_packed else number * block_bytes
                yield _build_rows(file, names, rows, (kept, broken), bytes_read / max(file.size, 1))
        if invalid_rows:
            yield _build_rows(file, names, rows.slice(0, 0), (np.empty(0, np.int64), invalid_rows), 1.0)


def _read_batches(stream: Any, parse_options: Any, block_bytes: int) -> Iterator[pa.RecordBatch]:
    """Yields batches of binary columns; the header is the first row of the first batch."""
    read = pa_csv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=block_bytes)
    convert = pa_csv.ConvertOptions(column_types={f"f{n}": pa.binary() for n in range(MAX_COLUMNS)})
    try:
        reader = pa_csv.open_csv(stream, read, parse_options, convert)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):  # for a file without bytes, and for a header without a line end
            return
        raise
    yield from reader


def _assign_row_numbers(size: int, last_number: int, invalid_rows: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Returns the numbers of the next `size` valid rows, and the invalid rows before the last of them."""
    invalid = np.array(sorted(m.number for m in invalid_rows), np.int64)
    span = np.arange(last_number + 1, last_number + 1 + size + len(invalid))
    valid = span[~np.isin(span, invalid)][:size]
    last = int(valid[-1]) if size else last_number
    return valid, [m for m in invalid_rows if m.number < last]


def _read_header(file: SourceFile, batch: pa.RecordBatch) -> list[str]:
    """Returns the names of the columns. A name that occurs again gets a number: title, title_2.

    Raises SourceError for more than MAX_COLUMNS.
    """
    if batch.num_columns > MAX_COLUMNS:
        reason = f"{file.name} has {batch.num_columns:,} columns"
        raise SourceError(f"{reason}; keep those that are needed, {MAX_COLUMNS:,} at most")
    values = [batch.column(n)[0].as_py().decode(errors="replace").strip() for n in range(batch.num_columns)]
    names: dict[str, None] = {}
    times = dict[str, int]()
    for number, value in enumerate(values, 1):
        name = value or f"column_{number}"
        while name in names:
            times[value] = times.get(value, 1) + 1
            name = f"{value}_{times[value]}"
        names[name] = None
    return list(names)


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
            f"the row has {m.actual_columns} values but the header has {m.expected_columns} columns; "
            "put a value that contains the delimiter in double quotes",
            m.text.replace(INVALID_TEXT, REPLACEMENT),
        )
        for m in broken
    ]
    columns = [column.cast(pa.string()) for column in batch.columns]
    bad = _find_invalid_rows(columns)
    for row in bad:
        values = [(column[row].as_py() or "").replace(INVALID_TEXT, REPLACEMENT) for column in columns]
        reject = Reject(
            file.name,
            int(numbers[row]) - HEADER_ROW,
            "the row is not valid UTF-8; if the file is from Windows, add --encoding cp1252",
            dict(zip(names, values, strict=True)),
        )
        unreadable.append(reject)
    if bad:
        keep = np.setdiff1d(np.arange(batch.num_rows), bad)
        columns, numbers = [column.take(pa.array(keep)) for column in columns], numbers[keep]
    block = ArrowBlock(pa.RecordBatch.from_arrays(columns, names))
    unreadable.sort(key=lambda reject: reject.row)
    return Rows(file.name, numbers - HEADER_ROW, block, tuple(unreadable), min(done, 1.0))


def _find_invalid_rows(columns: Sequence[pa.Array]) -> list[int]:
    """Returns the indexes of rows with a value that is not UTF-8 in the file."""
    marked = [pc.indices_nonzero(pc.match_substring(column, INVALID_TEXT)) for column in columns]
    return sorted({row for rows in marked for row in rows.to_pylist()})

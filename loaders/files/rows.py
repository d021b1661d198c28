"""Rows of a source file: as columns, to be checked in bulk, and as whole records, for reject files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not loaded. row: number from 1; docs/loading.md says how each format counts."""

    file: str
    row: int
    reason: str
    record: object


Column: TypeAlias = pa.Array | list[Any]
"""n values: an Arrow array where they have one type, otherwise a list."""


class Block(Protocol):
    """n rows that can be read by column or by record."""

    @property
    def names(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...

    def column(self, name: str) -> Column:
        """Return a column by its name, or by a dotted path into nested records; nulls where there is none."""
        ...

    def records(self) -> Sequence[Mapping[str, Any]]: ...

    def slice(self, start: int, length: int) -> "Block": ...


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A block of rows of one file.

    numbers [n] int64: the row number of each row of `block`. unreadable: rows that could not be parsed.
    done: the share of the file, 0 to 1, that has been read.
    """

    file: str
    numbers: NDArray[np.int64]
    block: Block
    unreadable: tuple[Reject, ...]
    done: float

    @property
    def last_row(self) -> int:
        """The number of the last row, readable or not; 0 without rows."""
        tail = int(self.numbers[-1]) if len(self.numbers) else 0
        return max(tail, *(reject.row for reject in self.unreadable), 0)

    @property
    def row_count(self) -> int:
        return len(self.numbers) + len(self.unreadable)

    def skip_through(self, row: int) -> "Rows":
        """Return the rows after row number `row`."""
        start = int(np.searchsorted(self.numbers, row, side="right"))
        return self._slice(start, len(self.numbers), row)

    def split(self, size: int) -> Iterator["Rows"]:
        """Yield pieces of at most `size` readable rows, each with the unreadable rows that follow them."""
        if len(self.numbers) <= size:
            yield self
            return
        before = 0
        for start in range(0, len(self.numbers), size):
            end = min(start + size, len(self.numbers))
            until = None if end == len(self.numbers) else int(self.numbers[end]) - 1
            yield self._slice(start, end, before, until)
            before = until or 0

    def _slice(self, start: int, end: int, after_row: int, until_row: int | None = None) -> "Rows":
        unreadable = tuple(
            r for r in self.unreadable if r.row > after_row and (until_row is None or r.row <= until_row)
        )
        numbers, block = self.numbers[start:end], self.block.slice(start, end - start)
        return Rows(self.file, numbers, block, unreadable, self.done)


@dataclass(frozen=True, slots=True, eq=False)
class ArrowBlock:
    """Rows of a CSV or Parquet file."""

    batch: pa.RecordBatch

    @property
    def names(self) -> Sequence[str]:
        return list(self.batch.schema.names)

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def column(self, name: str) -> Column:
        if name in self.batch.schema.names:
            return self.batch.column(name)
        first, *path = name.split(".")
        if not path or first not in self.batch.schema.names:
            return pa.nulls(len(self))
        try:
            return pc.struct_field(self.batch.column(first), path)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError):
            return pa.nulls(len(self))

    def records(self) -> Sequence[Mapping[str, Any]]:
        rows: list[dict[str, Any]] = self.batch.to_pylist()
        return rows

    def slice(self, start: int, length: int) -> "ArrowBlock":
        return ArrowBlock(self.batch.slice(start, length))


@dataclass(frozen=True, slots=True, eq=False)
class RecordBlock:
    """Rows of a JSONL file; each record may have its own names."""

    rows: Sequence[Mapping[str, Any]]

    @property
    def names(self) -> Sequence[str]:
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> Column:
        values = [get_value(row, name) for row in self.rows]
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
            return values

    def records(self) -> Sequence[Mapping[str, Any]]:
        return self.rows

    def slice(self, start: int, length: int) -> "RecordBlock":
        return RecordBlock(self.rows[start : start + length])


def get_value(record: Mapping[str, Any], name: str) -> Any:
    """Return a value by its name, or by a dotted path into nested records; None where there is none."""
    if name in record or "." not in name:
        return record.get(name)
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value

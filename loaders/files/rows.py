"""Rows of a source as they are: columns to check at once, and each row whole for whoever rejects it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not loaded. row: from 1; see docs/loading.md for how each format counts."""

    file: str
    row: int
    reason: str
    record: object


Column: TypeAlias = pa.Array | list[Any]
"""n values: an Arrow array where they are of one type, else a list."""


class Block(Protocol):
    """n rows side by side."""

    @property
    def names(self) -> Sequence[str]: ...

    def __len__(self) -> int: ...

    def column(self, name: str) -> Column:
        """By its name, or by a path of names with dots; nulls where there is none."""
        ...

    def records(self) -> Sequence[Mapping[str, Any]]: ...

    def slice(self, start: int, length: int) -> "Block": ...


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """numbers [n] int64: the row number of each row of `block`. unreadable: rows that are no rows.

    done: the share of its file, 0 to 1, that was read to get here.
    """

    file: str
    numbers: NDArray[np.int64]
    block: Block
    unreadable: tuple[Reject, ...]
    done: float

    @property
    def last_row(self) -> int:
        """The last row number, readable or not."""
        tail = int(self.numbers[-1]) if len(self.numbers) else 0
        return max(tail, *(reject.row for reject in self.unreadable), 0)

    @property
    def row_count(self) -> int:
        return len(self.numbers) + len(self.unreadable)

    def skip_through(self, row: int) -> "Rows":
        """Without the rows up to and with number `row`."""
        start = int(np.searchsorted(self.numbers, row, side="right"))
        return self._slice(start, len(self.numbers), row)

    def split(self, size: int) -> Iterator["Rows"]:
        """The same in pieces of at most `size` readable rows; unreadable rows come with those before them."""
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
    """Columns as a CSV or Parquet file holds them."""

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
    """Records as the lines of a JSONL file hold them; each may have other names."""

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
    """By its name, or by a path of names with dots; None where there is none."""
    if name in record or "." not in name:
        return record.get(name)
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value

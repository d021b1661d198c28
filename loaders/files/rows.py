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
        """Returns a column by its name, or by a dotted path into nested records; nulls where there is none.

        A path leads through lists: of a list of records it gives a list of values.
        """
        ...

    def has_column(self, name: str) -> bool:
        """Returns whether there is such a column or path."""
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
        """Returns the number of the last row, readable or not; 0 without rows."""
        tail = int(self.numbers[-1]) if len(self.numbers) else 0
        return max(tail, *(reject.row for reject in self.unreadable), 0)

    @property
    def row_count(self) -> int:
        return len(self.numbers) + len(self.unreadable)

    def skip_through(self, row: int) -> "Rows":
        """Returns the rows after row number `row`."""
        start = int(np.searchsorted(self.numbers, row, side="right"))
        return self._slice(start, len(self.numbers), row)

    def split(self, size: int) -> Iterator["Rows"]:
        """Yields pieces of at most `size` readable rows, each with the unreadable rows that follow them."""
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
        if not self.has_column(name):
            return pa.nulls(len(self))
        try:
            return pc.struct_field(self.batch.column(first), path)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError):  # a list on the path
            return _build_column(
                [_follow_path(value, path) for value in self.batch.column(first).to_pylist()]
            )

    def has_column(self, name: str) -> bool:
        if name in self.batch.schema.names:
            return True
        first, *path = name.split(".")
        return first in self.batch.schema.names and _has_type_path(self.batch.schema.field(first).type, path)

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
        return _build_column([get_value(row, name) for row in self.rows])

    def has_column(self, name: str) -> bool:
        path = name.split(".")
        answers = {True if name in row else _has_path(row, path) for row in self.rows}
        return True in answers or False not in answers

    def records(self) -> Sequence[Mapping[str, Any]]:
        return self.rows

    def slice(self, start: int, length: int) -> "RecordBlock":
        return RecordBlock(self.rows[start : start + length])


def get_value(record: Mapping[str, Any], name: str) -> Any:
    """Returns a value by its name, or by a dotted path into nested records; None where there is none.

    A path leads through lists: of a list of records it gives a list of values.
    """
    if name in record or "." not in name:
        return record.get(name)
    return _follow_path(record, name.split("."))


def _follow_path(value: Any, path: Sequence[str]) -> Any:
    if not path:
        return value
    if isinstance(value, Mapping):
        return _follow_path(value.get(path[0]), path[1:])
    if not isinstance(value, list):
        return None
    found = [_follow_path(part, path) for part in value]
    parts = (part if isinstance(part, list) else [part] for part in found)
    return [part for group in parts for part in group if part is not None]


def _has_path(value: Any, path: Sequence[str]) -> bool | None:
    """Returns whether a path exists; None if a null or an empty list does not tell."""
    if not path:
        return True
    if value is None:
        return None
    if isinstance(value, list):
        answers = {_has_path(part, path) for part in value}
        return True if True in answers else False if False in answers else None
    if not isinstance(value, Mapping) or path[0] not in value:
        return False
    return _has_path(value[path[0]], path[1:])


def _has_type_path(dtype: pa.DataType, path: Sequence[str]) -> bool:
    if not path:
        return True
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        return _has_type_path(dtype.value_type, path)
    index = dtype.get_field_index(path[0]) if pa.types.is_struct(dtype) else -1
    return index >= 0 and _has_type_path(dtype.field(index).type, path[1:])


def _build_column(values: list[Any]) -> Column:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError):
        return values

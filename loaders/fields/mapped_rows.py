"""Rows of several files in sequence, with the mapping from their columns to fields."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from reelrank.loaders.fields.field_map import FieldMap, FieldRules, match_fields
from reelrank.loaders.fields.times import UNITS, Unit, detect_epoch_unit, parse_number
from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.rows import ArrowBlock, Column, Rows
from reelrank.loaders.files.source import SourceError, SourceFile

PIECE_ROWS = 1000
"""Rows checked and written at a time: enough for an efficient bulk request, few to repeat after a kill."""


@dataclass(frozen=True, slots=True, eq=False)
class MappedRows:
    """Rows with their mapping.

    file_index: index of their file. fields: None for rows that need no mapping, and when every row is
    unreadable. done: share of the bytes of all files, 0 to 1.
    """

    file_index: int
    rows: Rows
    fields: FieldMap | None
    done: float


def read_mapped_rows(
    files: Sequence[SourceFile],
    rules: FieldRules,
    start: tuple[int, int] = (0, 0),
    needs_no_map: Callable[[Rows], bool] | None = None,
) -> Iterator[MappedRows]:
    """Yields all rows after `start` (file index, row number), in pieces of PIECE_ROWS.

    needs_no_map: whether a file's first rows are read without a mapping. Raises SourceError when a
    file or its columns cannot be read.
    """
    total_bytes = max(sum(file.size for file in files), 1)
    bytes_before = sum(file.size for file in files[: start[0]])
    reported = bytes_before / total_bytes
    for index, file in enumerate(files[start[0] :], start[0]):
        fields, is_unmapped = None, None
        for rows in read_rows(file):
            if is_unmapped is None and len(rows.numbers):
                is_unmapped = needs_no_map is not None and needs_no_map(rows)
            if not is_unmapped and len(rows.numbers):
                fields = _detect_epoch_units(_map_fields(rules, rows, fields), rows)
            remaining = rows.skip_through(start[1]) if index == start[0] else rows
            done = (bytes_before + rows.done * file.size) / total_bytes
            pieces = [piece for piece in remaining.split(PIECE_ROWS) if piece.row_count]
            for number, piece in enumerate(pieces, 1):
                yield MappedRows(index, piece, fields, reported + (done - reported) * number / len(pieces))
            reported = done
        bytes_before += file.size


def read_first_rows(
    files: Sequence[SourceFile], rules: FieldRules, needs_no_map: Callable[[Rows], bool] | None = None
) -> MappedRows | None:
    """Returns the first readable rows with their mapping, for a preview; None when there are none."""
    rows = read_mapped_rows(files, rules, needs_no_map=needs_no_map)
    return next((mapped for mapped in rows if len(mapped.rows.numbers)), None)


def _map_fields(rules: FieldRules, rows: Rows, previous: FieldMap | None) -> FieldMap:
    names = rows.block.names
    if previous is not None and set(names) <= {*previous.unused, *_list_used_columns(previous)}:
        return previous
    fields = match_fields(rules, names, previous)
    if previous is None:
        _check_columns(fields, rows)
    return fields


def _detect_epoch_units(fields: FieldMap, rows: Rows) -> FieldMap:
    """Sets the unit of numbers in date columns once rows with such numbers are read."""
    units: dict[str, Unit] = {}
    for field in fields.rules.fields:
        column = fields.find_column(field.name)
        if not field.date or column is None or column in fields.epoch_units:
            continue
        unit = detect_epoch_unit(_list_distinct(rows.block.column(column)))
        if unit is not None:
            units[column] = unit
    return replace(fields, epoch_units={**fields.epoch_units, **units}) if units else fields


def _list_distinct(column: Column) -> list[object]:
    if isinstance(column, list) or pa.types.is_nested(column.type):
        return list(column)
    values: list[object] = column.unique().to_pylist()
    return values


def _list_used_columns(fields: FieldMap) -> set[str]:
    return {*fields.rules.id_columns, *(column for columns in fields.columns.values() for column in columns)}


def _check_columns(fields: FieldMap, rows: Rows) -> None:
    names = ", ".join(rows.block.names)
    if missing := fields.list_missing():
        raise SourceError(
            f"{rows.file} has no column for {' and '.join(missing)} (its columns are {names}); "
            f"name the column with --map {missing[0]}=COLUMN"
            + (", or compute ids with --id-from COLUMN,COLUMN" if missing[0] == "id" else ""),
            code="column_not_found",
        )
    stated_columns = [column for columns in fields.rules.stated.values() for column in columns]
    for stated in dict.fromkeys([*stated_columns, *fields.rules.id_columns]):
        if not rows.block.has_column(stated):
            scope = "" if isinstance(rows.block, ArrowBlock) else f" in its first {len(rows.block):,} rows"
            raise SourceError(
                f"{rows.file} has no column {stated}{scope}; its columns are {names}", code="column_not_found"
            )
    for field in fields.rules.fields:
        column = fields.find_column(field.name)
        if not field.length or column is None or fields.find_unit(column) is not None:
            continue
        if (number := _find_bare_number(rows.block.column(column))) is not None:
            raise SourceError(
                f"column {column} of {rows.file} has durations without a unit, such as {number}; "
                f"add --duration-unit {'|'.join(UNITS)}",
                code="duration_unit_missing",
            )


def _find_bare_number(column: Column) -> object:
    first = column[:100]
    values = first if isinstance(first, list) else first.to_pylist()
    return next(
        (value for value in values if isinstance(value, int | float | str) and _is_number(value)), None
    )


def _is_number(value: object) -> bool:
    try:
        return parse_number(value) is not None
    except ValueError:
        return False

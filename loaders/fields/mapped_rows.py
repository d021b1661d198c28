"""Rows of many files one after the other, each with the map from its columns to our fields."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reelrank.loaders.fields.field_map import FieldMap, FieldRules, match_fields
from reelrank.loaders.fields.times import UNITS, parse_number
from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.rows import ArrowBlock, Column, Rows
from reelrank.loaders.files.source import SourceError, SourceFile

PIECE_ROWS = 1000
"""Rows checked, encoded and written at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class MappedRows:
    """fields: None for records that need no map. file: the place of its file. done: share of all bytes."""

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
    """All rows after a place (file, row). Raises SourceError when a file or its columns do not fit."""
    total = max(sum(file.size for file in files), 1)
    before = sum(file.size for file in files[: start[0]])
    told = before / total
    for place, file in enumerate(files[start[0] :], start[0]):
        fields, free = None, None
        for rows in read_rows(file):
            if free is None and len(rows.numbers):
                free = needs_no_map is not None and needs_no_map(rows)
            if not free and len(rows.numbers):
                fields = _map_fields(rules, rows, fields)
            later = rows.skip_through(start[1]) if place == start[0] else rows
            done = (before + rows.done * file.size) / total
            pieces = [piece for piece in later.split(PIECE_ROWS) if piece.row_count]
            for number, piece in enumerate(pieces, 1):
                yield MappedRows(place, piece, fields, told + (done - told) * number / len(pieces))
            told = done
        before += file.size


def read_first_rows(
    files: Sequence[SourceFile], rules: FieldRules, needs_no_map: Callable[[Rows], bool] | None = None
) -> MappedRows | None:
    """The first rows that can be read, to show how they would be read; None when there are none."""
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


def _list_used_columns(fields: FieldMap) -> set[str]:
    return {column for columns in fields.columns.values() for column in columns}


def _check_columns(fields: FieldMap, rows: Rows) -> None:
    found = ", ".join(rows.block.names)
    if missing := fields.list_missing():
        raise SourceError(
            f"{rows.file} has no column for {' and '.join(missing)} (its columns are {found}); "
            f"say which it is: --map {missing[0]}=COLUMN"
        )
    roots = {column.split(".")[0]: column for columns in fields.rules.stated.values() for column in columns}
    if isinstance(rows.block, ArrowBlock) and (absent := sorted(set(roots) - set(rows.block.names))):
        raise SourceError(f"{rows.file} has no column {roots[absent[0]]}; its columns are {found}")
    for each in fields.rules.fields:
        column = fields.find_column(each.name)
        if not each.length or column is None or fields.find_unit(column) is not None:
            continue
        if (bare := _find_bare_number(rows.block.column(column))) is not None:
            raise SourceError(
                f"column {column} of {rows.file} holds numbers such as {bare} and does not say their unit; "
                f"add --duration-unit {'|'.join(UNITS)}"
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

"""Rows of many files one after the other, each with the map from its columns to our fields."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loaders.field_map import FieldMap, FieldRules, match_fields
from loaders.moments import UNITS, number_of
from loaders.readers import read_rows
from loaders.rows import ArrowBlock, Column, Rows
from loaders.source import SourceError, SourceFile

PIECE = 1000
"""Rows checked, encoded and written at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Mapped:
    """fields: None for records that need no map. file: the place of its file. done: share of all bytes."""

    file: int
    rows: Rows
    fields: FieldMap | None
    done: float


def mapped_rows(
    files: Sequence[SourceFile],
    rules: FieldRules,
    after: tuple[int, int] = (0, 0),
    need_no_map: Callable[[Rows], bool] | None = None,
) -> Iterator[Mapped]:
    """All rows after a place (file, row). Raises SourceError when a file or its columns do not fit."""
    total = max(sum(file.size for file in files), 1)
    before = sum(file.size for file in files[: after[0]])
    told = before / total
    for place, file in enumerate(files[after[0] :], after[0]):
        fields, free = None, None
        for rows in read_rows(file):
            if free is None and len(rows.numbers):
                free = need_no_map is not None and need_no_map(rows)
            if not free and len(rows.numbers):
                fields = _fields(rules, rows, fields)
            later = rows.after(after[1]) if place == after[0] else rows
            done = (before + rows.done * file.size) / total
            pieces = [piece for piece in later.pieces(PIECE) if piece.read]
            for number, piece in enumerate(pieces, 1):
                yield Mapped(place, piece, fields, told + (done - told) * number / len(pieces))
            told = done
        before += file.size


def first_mapped(
    files: Sequence[SourceFile], rules: FieldRules, need_no_map: Callable[[Rows], bool] | None = None
) -> Mapped | None:
    """The first rows that can be read, to show how they would be read; None when there are none."""
    rows = mapped_rows(files, rules, need_no_map=need_no_map)
    return next((mapped for mapped in rows if len(mapped.rows.numbers)), None)


def _fields(rules: FieldRules, rows: Rows, before: FieldMap | None) -> FieldMap:
    names = rows.block.names
    if before is not None and set(names) <= {*before.unused, *_used(before)}:
        return before
    fields = match_fields(rules, names, before)
    if before is None:
        _check(fields, rows)
    return fields


def _used(fields: FieldMap) -> set[str]:
    return {column for columns in fields.columns.values() for column in columns}


def _check(fields: FieldMap, rows: Rows) -> None:
    found = ", ".join(rows.block.names)
    if missing := fields.missing():
        raise SourceError(
            f"{rows.file} has no column for {' and '.join(missing)} (its columns are {found}); "
            f"say which it is: --map {missing[0]}=COLUMN"
        )
    roots = {column.split(".")[0]: column for columns in fields.rules.stated.values() for column in columns}
    if isinstance(rows.block, ArrowBlock) and (absent := sorted(set(roots) - set(rows.block.names))):
        raise SourceError(f"{rows.file} has no column {roots[absent[0]]}; its columns are {found}")
    for each in fields.rules.fields:
        column = fields.column(each.name)
        if not each.length or column is None or fields.unit(column) is not None:
            continue
        if (bare := _bare_number(rows.block.column(column))) is not None:
            raise SourceError(
                f"column {column} of {rows.file} holds numbers such as {bare} and does not say their unit; "
                f"add --duration-unit {'|'.join(UNITS)}"
            )


def _bare_number(column: Column) -> object:
    first = column[:100]
    values = first if isinstance(first, list) else first.to_pylist()
    return next(
        (value for value in values if isinstance(value, int | float | str) and _is_number(value)), None
    )


def _is_number(value: object) -> bool:
    try:
        return number_of(value) is not None
    except ValueError:
        return False

"""Rows of several files in sequence, with the mapping from their columns to fields."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from reelrank.loaders.fields.durations import UNITS
from reelrank.loaders.fields.field_map import FieldMap, FieldRules, match_fields
from reelrank.loaders.fields.numbers import find_number
from reelrank.loaders.fields.survey import ColumnStyles, DateEvidence, ListEvidence, TitleEvidence
from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.rows import ArrowBlock, Column, Rows
from reelrank.loaders.files.source import SourceError, SourceFile

PIECE_ROWS = 1000
"""Rows checked and written at a time: enough for an efficient bulk request, few to repeat after a kill."""

MAX_NAMED_COLUMNS = 30
"""An error message stays readable, also for an object that has an entry for every item."""


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
    styles: ColumnStyles | None = None,
) -> Iterator[MappedRows]:
    """Yields all rows after `start` (file index, row number), in pieces of PIECE_ROWS.

    needs_no_map: whether a file's first rows are read without a mapping. styles: as `survey_columns`
    returns them. Raises SourceError when a file or its columns cannot be read.
    """
    styles = survey_columns(files, rules, needs_no_map).styles if styles is None else styles
    total_bytes = max(sum(file.size for file in files), 1)
    bytes_before = sum(file.size for file in files[: start[0]])
    reported = bytes_before / total_bytes
    for index, file in enumerate(files[start[0] :], start[0]):
        for rows, mapped in _map_file(file, rules, needs_no_map):
            fields = None if mapped is None else replace(mapped, styles=styles)
            remaining = rows.skip_through(start[1]) if index == start[0] else rows
            done = (bytes_before + rows.done * file.size) / total_bytes
            pieces = [piece for piece in remaining.split(PIECE_ROWS) if piece.row_count]
            for number, piece in enumerate(pieces, 1):
                yield MappedRows(index, piece, fields, reported + (done - reported) * number / len(pieces))
            reported = done
        bytes_before += file.size


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first reading of all files tells. fields: the last mapping; None when no row needs one."""

    styles: ColumnStyles
    fields: FieldMap | None


def survey_columns(
    files: Sequence[SourceFile], rules: FieldRules, needs_no_map: Callable[[Rows], bool] | None = None
) -> Survey:
    """Reads all files once, to decide what only whole columns tell. Raises SourceError."""
    last: FieldMap | None = None
    dates, lists, titles = dict[str, DateEvidence](), dict[str, ListEvidence](), TitleEvidence()
    for file in files:
        for rows, fields in _map_file(file, rules, needs_no_map):
            if fields is None:
                continue
            last = fields
            for target in rules.fields:
                for column in fields.columns.get(target.name, ()):
                    if target.date:
                        dates.setdefault(column, DateEvidence()).add(rows.block.column(column))
                    elif target.many:
                        lists.setdefault(column, ListEvidence()).add(rows.block.column(column))
                    elif target.name == "title":
                        titles.add(rows.block.column(column))
    list_styles = {column: evidence.decide(rules.separator) for column, evidence in lists.items()}
    unsplit = {column: evidence.find_unsplit(list_styles[column]) for column, evidence in lists.items()}
    styles = ColumnStyles(
        {column: evidence.decide(rules.date_format, rules.latest_date) for column, evidence in dates.items()},
        list_styles,
        {column: example for column, example in unsplit.items() if example},
        titles.decide(rules.title_year),
    )
    return Survey(styles, None if last is None else replace(last, styles=styles))


def _map_file(
    file: SourceFile, rules: FieldRules, needs_no_map: Callable[[Rows], bool] | None
) -> Iterator[tuple[Rows, FieldMap | None]]:
    """Yields the rows of a file with their mapping; None for rows that need none or are unreadable."""
    fields, is_unmapped = None, None
    for rows in read_rows(file):
        if is_unmapped is None and len(rows.numbers):
            is_unmapped = needs_no_map is not None and needs_no_map(rows)
        if not is_unmapped and len(rows.numbers):
            fields = _map_fields(rules, rows, fields)
        yield rows, fields


def _map_fields(rules: FieldRules, rows: Rows, previous: FieldMap | None) -> FieldMap:
    names = rows.block.names
    if previous is not None and set(names) <= {*previous.unused, *_list_used_columns(previous)}:
        return previous
    fields = match_fields(rules, names, previous)
    if previous is None:
        _check_columns(fields, rows)
    return fields


def _list_used_columns(fields: FieldMap) -> set[str]:
    return {*fields.rules.id_columns, *(column for columns in fields.columns.values() for column in columns)}


def _check_columns(fields: FieldMap, rows: Rows) -> None:
    names = _list_names(rows.block.names)
    if missing := fields.list_missing():
        raise SourceError(
            f"{rows.file} has no column for {' and '.join(missing)} (its columns are {names}); "
            f"name the column with --map {missing[0]}=COLUMN"
            + (", or compute ids with --id-from COLUMN,COLUMN" if missing[0] == "id" else ""),
            code="column_not_found",
        )
    stated_columns = [column for columns in fields.rules.stated.values() for column in columns]
    for name in dict.fromkeys([*stated_columns, *fields.rules.id_columns]):
        if not rows.block.has_column(name):
            scope = "" if isinstance(rows.block, ArrowBlock) else f" in its first {len(rows.block):,} rows"
            raise SourceError(
                f"{rows.file} has no column {name}{scope}; its columns are {names}", code="column_not_found"
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


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED_COLUMNS:,} more" if len(names) > MAX_NAMED_COLUMNS else ""
    return ", ".join(names[:MAX_NAMED_COLUMNS]) + more


def _find_bare_number(column: Column) -> object:
    first = column[:100]
    values = first if isinstance(first, list) else first.to_pylist()
    return next((v for v in values if isinstance(v, int | float | str) and find_number(v) is not None), None)

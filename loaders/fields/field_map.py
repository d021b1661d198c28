"""The mapping from source columns to fields: by column name, unless the user states it."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from reelrank.loaders.fields.dates import DateStyle, check_date_format
from reelrank.loaders.fields.durations import UNITS, Unit
from reelrank.loaders.fields.lists import ListStyle
from reelrank.loaders.fields.survey import UNSURVEYED, ColumnStyles
from reelrank.loaders.files.source import SourceError


@dataclass(frozen=True, slots=True)
class Field:
    """A field to fill. known_as: column names that fill it, the best first. many: it holds a list.

    one_column: of the columns known by name, only the best fills it. singular: another name in mappings.
    length: it holds a duration, so numbers need a unit. date: numbers may be a time since 1970.
    """

    name: str
    known_as: tuple[str, ...]
    required: bool = False
    many: bool = False
    one_column: bool = False
    singular: str = ""
    length: bool = False
    date: bool = False


@dataclass(frozen=True, slots=True)
class FieldRules:
    """How columns are mapped to fields. Raises SourceError for an unknown field or too many columns.

    stated: field to the columns that the user named for it, none to leave it out. separator: splits text
    into a list. duration_unit: unit of durations whose column name has none. constants: field to a value
    for every row, instead of a column. id_columns: columns from whose values the ids are computed.
    date_format, latest_date: see `DateStyle`. is_strict: a value that cannot be read rejects its row.
    title_year: whether titles end with the year; None decides by the titles.
    """

    fields: tuple[Field, ...]
    stated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    separator: str | None = None
    duration_unit: Unit | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    id_columns: tuple[str, ...] = ()
    date_format: str | None = None
    latest_date: date | None = None
    is_strict: bool = False
    title_year: bool | None = None

    def __post_init__(self) -> None:
        try:
            check_date_format(self.date_format or "%Y")
        except ValueError as error:
            raise SourceError(
                f"{self.date_format!r} is not a form of dates: {error}; write it as %d.%m.%Y",
                code="invalid_mapping",
            ) from error
        if self.id_columns and self.stated.get("id"):
            raise SourceError(
                "--map id=COLUMN and --id-from exclude each other; use one of them", code="invalid_mapping"
            )
        many = {target.name: target.many for target in self.fields}
        plurals = {target.singular: target.name for target in self.fields if target.singular}
        stated = {plurals.get(name, name): columns for name, columns in self.stated.items()}
        object.__setattr__(self, "stated", stated)
        for name, columns in self.stated.items():
            if name not in many:
                raise SourceError(
                    f"there is no field {name}; the fields are {', '.join(many)}", code="invalid_mapping"
                )
            if len(columns) > 1 and not many[name]:
                raise SourceError(
                    f"field {name} takes one value but is mapped to the columns {' and '.join(columns)}; "
                    f"keep one of them: --map {name}={columns[0]}",
                    code="invalid_mapping",
                )


@dataclass(frozen=True, slots=True)
class FieldMap:
    """The mapping for one file. columns: field to the columns that fill it. unused: the other columns."""

    rules: FieldRules
    columns: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]
    styles: ColumnStyles = UNSURVEYED

    def find_column(self, name: str) -> str | None:
        """Returns the column of a single-valued field, None when no column fills it."""
        return next(iter(self.columns.get(name, ())), None)

    def find_unit(self, column: str) -> Unit | None:
        """Returns the unit of numbers in a column: from the column's name, else from the rules."""
        return parse_unit(column) or self.rules.duration_unit

    def find_date_style(self, column: str) -> DateStyle:
        """Returns how the dates of a column are written; its name may state the unit of numbers."""
        style = self.styles.dates.get(column) or DateStyle(None, None, None, self.rules.latest_date)
        unit = parse_unit(column)
        return replace(style, epoch_unit=unit) if unit in ("ms", "s") else style

    def find_list_style(self, column: str) -> ListStyle:
        """Returns how the lists of a column are written."""
        return self.styles.lists.get(column) or ListStyle(self.rules.separator)

    def list_missing(self) -> list[str]:
        """Returns the required fields that nothing fills."""
        filled = {name for name, columns in self.columns.items() if columns}
        filled |= {*self.rules.constants, *(("id",) if self.rules.id_columns else ())}
        return [target.name for target in self.rules.fields if target.required and target.name not in filled]


def match_fields(rules: FieldRules, names: Sequence[str], previous: FieldMap | None = None) -> FieldMap:
    """Matches columns to fields by name. Matches of `previous`, an earlier part of the same file, stay."""
    by_normalised_name: dict[str, list[str]] = {}
    for name in names:
        by_normalised_name.setdefault(normalise_name(name), []).append(name)
    columns: dict[str, tuple[str, ...]] = dict(rules.stated)
    used = {column for field_columns in columns.values() for column in field_columns}
    earlier = previous.columns if previous is not None else {}
    for target in rules.fields:
        is_computed = target.name == "id" and rules.id_columns
        if is_computed or target.name in rules.stated or target.name in rules.constants:
            continue
        matches = list(earlier.get(target.name, ()))
        for known_name in target.known_as:
            matches += [name for name in by_normalised_name.get(known_name, ()) if name not in used]
        is_joined = target.many and not target.one_column
        chosen = tuple(dict.fromkeys(matches)) if is_joined else tuple(matches[:1])
        if chosen:
            columns[target.name] = chosen
            used.update(chosen)
    used.update(rules.id_columns)
    roots = {column.split(".")[0] for column in used} | used
    unused = tuple(name for name in names if name not in roots)
    return FieldMap(rules, columns, unused)


def normalise_name(name: str) -> str:
    """Returns a column name in snake case: publishedAt, "Published at" and PUBLISHED-AT are published_at."""
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^0-9a-z]+", "_", separated.lower()).strip("_")


def parse_unit(column: str) -> Unit | None:
    """Returns the unit at the end of a column's name, as in runtime_min, durationMs and length_in_seconds."""
    ends: dict[str, Unit] = {
        "ms": "ms", "millis": "ms", "milliseconds": "ms", "s": "s", "sec": "s", "secs": "s", "seconds": "s",
        "min": "min", "mins": "min", "minutes": "min", "h": "h", "hrs": "h", "hours": "h",
    }  # fmt: skip
    last = normalise_name(column).rpartition("_")[2]
    return ends.get(last)


def parse_field_pairs(pairs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Parses `field=column` pairs; a field may be named more than once. Raises SourceError."""
    stated: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not (name and equals):
            raise SourceError(
                f"{pair!r} is not a mapping; write --map FIELD=COLUMN, or --map FIELD= to leave it out",
                code="invalid_mapping",
            )
        stated[name] = (*stated.get(name, ()), *((column,) if column else ()))
    return stated


def read_mapping(path: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Reads a TOML file: its [fields] (a column or list of columns) and its settings. Raises SourceError."""
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
        fields = {name: _read_columns(name, stated) for name, stated in settings.pop("fields", {}).items()}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise SourceError(
            f"{path} cannot be read as a mapping file: {error}", code="invalid_mapping"
        ) from error
    known = {"separator", "duration_unit", "kind", "id_from", "date_format"}
    if unknown := sorted(set(settings) - known):
        raise SourceError(
            f"{path} has unknown settings: {', '.join(unknown)}; "
            f"use {', '.join(sorted(known))} or a [fields] table",
            code="invalid_mapping",
        )
    values = {name: str(value) for name, value in settings.items()}
    if values.get("duration_unit", "s") not in UNITS:
        raise SourceError(
            f"{path} has the unknown duration_unit {values['duration_unit']!r}; use {', '.join(UNITS)}",
            code="invalid_mapping",
        )
    return fields, values


def _read_columns(name: str, stated: object) -> tuple[str, ...]:
    """Returns the columns that a mapping file states for a field. Raises ValueError."""
    columns = stated if isinstance(stated, list) else [stated]
    names = tuple(column for column in columns if isinstance(column, str))
    if len(names) < len(columns):
        raise ValueError(f"{name} must be the name of a column, or a list of names")
    return tuple(filter(None, names))

"""The mapping from source columns to fields: by column name, unless the user states it."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reelrank.loaders.fields.times import UNITS, Unit
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

    stated: field to the columns that the user named for it. separator: splits text into a list.
    duration_unit: unit of durations whose column name has none. constants: field to a value for
    every row, instead of a column. id_columns: columns from whose values the ids are computed.
    """

    fields: tuple[Field, ...]
    stated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    separator: str | None = None
    duration_unit: Unit | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    id_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.id_columns and "id" in self.stated:
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
    """The mapping for one file. columns: field to the columns that fill it. unused: the other columns.

    epoch_units: date column to the unit of its numbers since 1970, if they are such.
    """

    rules: FieldRules
    columns: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]
    epoch_units: Mapping[str, Unit] = field(default_factory=dict)

    def find_column(self, name: str) -> str | None:
        """Returns the column of a single-valued field, None when no column fills it."""
        return next(iter(self.columns.get(name, ())), None)

    def find_unit(self, column: str) -> Unit | None:
        """Returns the unit of numbers in a column: from the column's name, else from the rules."""
        return parse_unit(column) or self.rules.duration_unit

    def list_missing(self) -> list[str]:
        """Returns the required fields that nothing fills."""
        filled = {*self.columns, *self.rules.constants, *(("id",) if self.rules.id_columns else ())}
        return [target.name for target in self.rules.fields if target.required and target.name not in filled]


def match_fields(rules: FieldRules, names: Sequence[str], previous: FieldMap | None = None) -> FieldMap:
    """Matches columns to fields by name. Matches of `previous`, an earlier part of the same file, stay."""
    by_normalised_name: dict[str, list[str]] = {}
    for name in names:
        by_normalised_name.setdefault(normalise_name(name), []).append(name)
    columns: dict[str, tuple[str, ...]] = dict(rules.stated)
    used = {column for stated in columns.values() for column in stated}
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
    return FieldMap(rules, columns, unused, {} if previous is None else previous.epoch_units)


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
        if not (name and equals and column):
            raise SourceError(f"{pair!r} is not a mapping; write --map FIELD=COLUMN", code="invalid_mapping")
        stated[name] = (*stated.get(name, ()), column)
    return stated


def read_mapping(path: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Reads a TOML file: its [fields] (a column or list of columns) and its settings. Raises SourceError."""
    try:
        settings = tomllib.loads(path.read_text())
        fields = {
            name: (columns,) if isinstance(columns, str) else tuple(columns)
            for name, columns in settings.pop("fields", {}).items()
        }
    except (OSError, tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{path} cannot be read as a mapping file: {error}", code="invalid_mapping"
        ) from error
    known = {"separator", "duration_unit", "kind", "id_from"}
    if unknown := sorted(set(settings) - known):
        raise SourceError(
            f"{path} has unknown settings: {', '.join(unknown)}; "
            f"use {', '.join(sorted(known))} or a [fields] table",
            code="invalid_mapping",
        )
    if settings.get("duration_unit", "s") not in UNITS:
        raise SourceError(
            f"{path} has the unknown duration_unit {settings['duration_unit']!r}; use {', '.join(UNITS)}",
            code="invalid_mapping",
        )
    return fields, {name: str(value) for name, value in settings.items()}

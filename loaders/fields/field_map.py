"""Which column of a source fills which field of ours: by name, unless it is stated."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reelrank.loaders.fields.times import UNITS, Unit
from reelrank.loaders.files.source import SourceError


@dataclass(frozen=True, slots=True)
class Field:
    """A field of ours. known_as: column names that fill it, the best first. many: it holds a list.

    length: it holds a length of time, so bare numbers need a unit.
    """

    name: str
    known_as: tuple[str, ...]
    required: bool = False
    many: bool = False
    length: bool = False


@dataclass(frozen=True, slots=True)
class FieldRules:
    """stated: field to the columns said to fill it. separator: what cuts text into a list.

    duration_unit: of a length of time whose column does not name one. constants: field to its value
    in every row, in place of a column.
    """

    fields: tuple[Field, ...]
    stated: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    separator: str | None = None
    duration_unit: Unit | None = None
    constants: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        many = {each.name: each.many for each in self.fields}
        for name, columns in self.stated.items():
            if name not in many:
                raise SourceError(f"there is no field {name}; the fields are {', '.join(many)}")
            if len(columns) > 1 and not many[name]:
                raise SourceError(f"{name} holds one value, and is filled from {' and '.join(columns)}")


@dataclass(frozen=True, slots=True)
class FieldMap:
    """columns: field to the columns that fill it. unused: columns that fill nothing."""

    rules: FieldRules
    columns: Mapping[str, tuple[str, ...]]
    unused: tuple[str, ...]

    def find_column(self, name: str) -> str | None:
        """The one column of a field that holds one value."""
        return next(iter(self.columns.get(name, ())), None)

    def find_unit(self, column: str) -> Unit | None:
        """Of bare numbers in a column: as its name states, else as the rules do."""
        return parse_unit(column) or self.rules.duration_unit

    def list_missing(self) -> list[str]:
        filled = {*self.columns, *self.rules.constants}
        return [each.name for each in self.rules.fields if each.required and each.name not in filled]


def match_fields(rules: FieldRules, names: Sequence[str], previous: FieldMap | None = None) -> FieldMap:
    """The map for columns of these names. What was matched `before` in the same file stays."""
    by_word: dict[str, list[str]] = {}
    for name in names:
        by_word.setdefault(normalise_name(name), []).append(name)
    columns: dict[str, tuple[str, ...]] = dict(rules.stated)
    taken = {column for stated in columns.values() for column in stated}
    earlier = previous.columns if previous is not None else {}
    for each in rules.fields:
        if each.name in rules.stated or each.name in rules.constants:
            continue
        kept = earlier.get(each.name, ())
        found = [name for word in each.known_as for name in by_word.get(word, ()) if name not in taken]
        chosen = tuple(dict.fromkeys((*kept, *found))) if each.many else tuple([*kept, *found][:1])
        if chosen:
            columns[each.name] = chosen
            taken.update(chosen)
    roots = {column.split(".")[0] for column in taken} | taken
    return FieldMap(rules, columns, tuple(name for name in names if name not in roots))


def normalise_name(name: str) -> str:
    """A column name as a word: publishedAt, "Published at" and PUBLISHED-AT are all published_at."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^0-9a-z]+", "_", parted.lower()).strip("_")


def parse_unit(column: str) -> Unit | None:
    """The unit that ends a column's name: runtime_min, durationMs, length_in_seconds."""
    ends: dict[str, Unit] = {
        "ms": "ms", "millis": "ms", "milliseconds": "ms", "s": "s", "sec": "s", "secs": "s", "seconds": "s",
        "min": "min", "mins": "min", "minutes": "min", "h": "h", "hrs": "h", "hours": "h",
    }  # fmt: skip
    last = normalise_name(column).rpartition("_")[2]
    return ends.get(last)


def parse_field_pairs(pairs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Of `field=column` pairs; a field named more than once is filled from several. Raises SourceError."""
    stated: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not (name and equals and column):
            raise SourceError(f"{pair!r} is no mapping; write --map field=column")
        stated[name] = (*stated.get(name, ()), column)
    return stated


def read_mapping(path: Path) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Of a TOML file its [fields] (column or list of columns) and its other settings. Raises SourceError."""
    try:
        facts = tomllib.loads(path.read_text())
        fields = {
            name: (columns,) if isinstance(columns, str) else tuple(columns)
            for name, columns in facts.pop("fields", {}).items()
        }
    except (OSError, tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        raise SourceError(f"{path} is no mapping file: {error}") from error
    known = {"separator", "duration_unit", "kind"}
    if unknown := sorted(set(facts) - known):
        raise SourceError(f"{path} states {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    if facts.get("duration_unit", "s") not in UNITS:
        raise SourceError(
            f"{path} states duration_unit {facts['duration_unit']!r}; known are {', '.join(UNITS)}"
        )
    return fields, {name: str(value) for name, value in facts.items()}

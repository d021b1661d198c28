"""What whole columns tell and a single value does not: units, the order of dates, separators."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.loaders.fields.dates import DAY_MONTH_PATTERN, DateStyle, EpochUnit
from reelrank.loaders.fields.lists import (
    BRACKETS,
    MISSING_NAMES,
    NAME_SEPARATORS,
    ListStyle,
    parse_literal,
    unescape_html,
)
from reelrank.loaders.fields.numbers import find_number
from reelrank.loaders.files.rows import Column

EPOCH_BOUNDS = np.array([1e8, 4_102_444_800, 4_102_444_800e3, 4_102_444_800e6])
"""Smaller numbers may be years or days such as 19991231. The others are the first second of 2100, in the next
smaller unit each: a larger number is probably in that unit."""
EPOCH_UNITS: tuple[EpochUnit, ...] = ("s", "ms", "us", "ns")
MIN_SEPARATOR_SHARE = 0.05
"""Of the values with any separator; fewer are names that contain it, such as a film called A|B."""
MIN_BRACKET_SHARE = 0.5
MIN_UNSPLIT_SHARE = 0.1
"""Fewer values with a sign that may separate names are names."""
POSSIBLE_SEPARATORS = (*NAME_SEPARATORS, "/", " \N{MIDDLE DOT} ", " - ")
TITLE_YEAR = re.compile(r"(?<!\s)\s*\((1[89]\d\d|20\d\d)(?:\s*[-\N{EN DASH}]\s*(?:\d{4})?)?\)\s*$")
"""The year that ends a title, as in Toy Story (1995) or Babylon 5 (1994-1998)."""
MIN_TITLE_YEAR_SHARE = 0.8


@dataclass(slots=True)
class DateEvidence:
    """Counts of the values of a date column: numbers by epoch unit, and what tells day from month."""

    epochs: Counter[EpochUnit] = field(default_factory=Counter)
    days_first: int = 0
    months_first: int = 0
    with_dots: int = 0

    def add(self, column: Column) -> None:
        if not isinstance(column, list) and pa.types.is_temporal(column.type):
            return
        numbers = read_numbers(column)
        units = np.searchsorted(EPOCH_BOUNDS, np.abs(numbers), side="right")
        self.epochs.update(EPOCH_UNITS[unit - 1] for unit in units[units > 0].tolist())
        for text in list_texts(column):
            if written := DAY_MONTH_PATTERN.match(text.strip()):
                first, second = int(written[1]), int(written[3])
                self.days_first += first > 12
                self.months_first += second > 12
                self.with_dots += written[2] == "."

    def decide(self, date_format: str | None, latest: date | None) -> DateStyle:
        if date_format is not None:
            return DateStyle(date_format=date_format, latest=latest)
        unit = self.epochs.most_common(1)[0][0] if self.epochs else None
        if self.days_first and self.months_first:
            day_first = None
        elif self.days_first or self.months_first:
            day_first = bool(self.days_first)
        else:
            day_first = True if self.with_dots else None  # dates with dots begin with the day everywhere
        return DateStyle(unit, day_first, None, latest)


@dataclass(slots=True)
class ListEvidence:
    """Counts of the texts of a list column by the signs in them that may separate names."""

    texts: int = 0
    in_brackets: int = 0
    signs: Counter[frozenset[str]] = field(default_factory=Counter)
    examples: dict[frozenset[str], str] = field(default_factory=dict)

    def add(self, column: Column) -> None:
        for text in list_texts(column):
            stripped = text.strip()
            if stripped.lower() in MISSING_NAMES or parse_literal(stripped) is not None:
                continue
            plain = unescape_html(stripped)
            signs = frozenset(sign for sign in POSSIBLE_SEPARATORS if sign in plain)
            self.texts += 1
            self.in_brackets += plain[0] == "[" and BRACKETS["["] == plain[-1]
            self.signs[signs] += 1
            self.examples.setdefault(signs, stripped)

    def decide(self, stated: str | None) -> ListStyle:
        has_brackets = self.in_brackets > MIN_BRACKET_SHARE * self.texts
        if stated is not None:
            return ListStyle(stated, has_brackets)
        counts = {
            mark: sum(count for signs, count in self.signs.items() if mark in signs)
            for mark in NAME_SEPARATORS
        }
        enough = MIN_SEPARATOR_SHARE * sum(counts.values())
        separator = next((mark for mark, count in counts.items() if count and count >= enough), None)
        return ListStyle(separator, has_brackets)

    def find_unsplit(self, style: ListStyle) -> str:
        """Returns a text that may be a list but is read as one name; empty if there are few."""
        unsplit = {signs: n for signs, n in self.signs.items() if signs and style.separator not in signs}
        if not unsplit or sum(unsplit.values()) < MIN_UNSPLIT_SHARE * self.texts:
            return ""
        return self.examples[max(unsplit, key=lambda signs: unsplit[signs])]


@dataclass(slots=True)
class TitleEvidence:
    """Counts of titles, and of those that end with a year in parentheses."""

    titles: int = 0
    with_year: int = 0

    def add(self, column: Column) -> None:
        for text in list_texts(column):
            self.titles += 1
            self.with_year += TITLE_YEAR.search(text) is not None

    def decide(self, stated: bool | None) -> bool:
        """Returns whether titles end with the year of the item."""
        if stated is not None:
            return stated
        return self.titles > 0 and self.with_year >= MIN_TITLE_YEAR_SHARE * self.titles


@dataclass(frozen=True, slots=True)
class ColumnStyles:
    """The decisions about the columns of a source, by column name. unsplit: see `ListEvidence`."""

    dates: Mapping[str, DateStyle] = field(default_factory=dict)
    lists: Mapping[str, ListStyle] = field(default_factory=dict)
    unsplit: Mapping[str, str] = field(default_factory=dict)
    titles_have_year: bool = False


UNSURVEYED = ColumnStyles()


def list_texts(column: Column) -> list[str]:
    """Returns the distinct texts of a column."""
    if isinstance(column, list):
        return [value for value in column if isinstance(value, str)]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return [value for value in column.unique().to_pylist() if value is not None]
    if pa.types.is_dictionary(column.type):
        return list_texts(column.dictionary_decode())
    return []


def read_numbers(column: Column) -> NDArray[np.float64]:
    """Returns the numbers of a column, and those that its texts spell."""
    if not isinstance(column, list) and not pa.types.is_nested(column.type):
        try:
            present = pc.drop_null(pc.cast(column, pa.float64()))
            numbers: NDArray[np.float64] = present.to_numpy(zero_copy_only=False)
            return numbers[np.isfinite(numbers)]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    values: Iterable[object] = column if isinstance(column, list) else column.to_pylist()
    found = (find_number(value) for value in values if not isinstance(value, date))
    return np.array([number for number in found if number is not None], np.float64)

"""Filters of the search page: the address without each active filter, and with each possible one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
from flask import request
from numpy.typing import NDArray

from reelrank.app.search.page import Facets
from reelrank.app.web.api.parameters import SearchParameters
from reelrank.index_mappings.query import Sort
from reelrank.index_mappings.text import fold_name
from reelrank.ranking.items.listed_values import find_named
from reelrank.ranking.items.names.title_keys import Hashes, compact_title, split_year
from reelrank.ranking.items.table import ItemTable

_YEAR = re.compile(r"(?:18|19|20)\d\d")
_DECADE = re.compile(r"(\d{1,3})0'?s")
"""1990s and 90s."""
_MEDIUM_WORD = re.compile(r"\s+(?:films?|movies?)$")
LABELS = {"genre": "Genre", "language": "Language", "country": "Country", "decade": "Decade"}
FACET_BY_FIELD = {"genre": "genres", "language": "languages", "country": "countries", "decade": "decades"}
Pairs = list[tuple[str, str]]
MULTI_VALUED_FIELDS = ("genre", "language", "country", "person", "tag")
FILTER_FIELDS = (*MULTI_VALUED_FIELDS, "year_min", "year_max", "duration_min_s", "duration_max_s")
SORT_LABELS: Mapping[Sort, str] = {
    "relevance": "Best match", "newest": "Newest", "popular": "Most watched", "title": "Title",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chip:
    """An active filter, and the address without it."""

    label: str
    url_without: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A facet value, its number of candidates, and the address with this filter."""

    label: str
    count: int
    url: str


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A filter that the typed text names, and the address of all its films."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class SortChoice:
    """An order of the list, and the address of the list in this order."""

    label: str
    url: str
    is_current: bool


def read_parameters(names: Sequence[str]) -> dict[str, Any]:
    """Reads these parameters from the address, without the empty fields of a form."""
    values_by_name = {name: [value for value in request.args.getlist(name) if value] for name in names}
    return {
        name: values if name in MULTI_VALUED_FIELDS else values[0]
        for name, values in values_by_name.items()
        if values
    }


def is_empty_search(parameters: Mapping[str, Any]) -> bool:
    """Returns whether parameters of the search page state no text, filter or cursor."""
    return not parameters.get("q", "").strip() and not parameters.keys() - {"q", "sort"}


def build_pairs(parameters: SearchParameters) -> Pairs:
    """Lists the search parameters for an address, without the cursor and the usual order."""
    pairs: Pairs = [("q", parameters.q)] if parameters.q else []
    for field in MULTI_VALUED_FIELDS:
        pairs += [(field, value) for value in getattr(parameters, field)]
    for field in ("year_min", "year_max", "duration_min_s", "duration_max_s"):
        value = getattr(parameters, field)
        pairs += [] if value is None else [(field, str(value))]
    return pairs if parameters.sort == "relevance" else [*pairs, ("sort", parameters.sort)]


def build_chips(parameters: SearchParameters) -> list[Chip]:
    pairs = build_pairs(parameters)
    return [
        Chip(_format_filter(field, value), build_url([pair for pair in pairs if pair != (field, value)]))
        for field, value in pairs
        if field not in ("q", "sort")
    ]


def build_sort_choices(parameters: SearchParameters) -> list[SortChoice]:
    pairs = [(field, value) for field, value in build_pairs(parameters) if field != "sort"]
    return [
        SortChoice(
            label,
            build_url(pairs if sort == "relevance" else [*pairs, ("sort", sort)]),
            sort == parameters.sort,
        )
        for sort, label in SORT_LABELS.items()
    ]


def _format_filter(field: str, value: str) -> str:
    if field in ("year_min", "year_max"):
        return f"{'from' if field == 'year_min' else 'until'} {value}"
    if field in ("duration_min_s", "duration_max_s"):
        return f"{'at least' if field == 'duration_min_s' else 'at most'} {int(value) / 60:.0f} minutes"
    return value


def build_choices(parameters: SearchParameters, facets: Facets) -> Mapping[str, list[Choice]]:
    """Maps each facet label to its values, without those that are active already."""
    pairs = build_pairs(parameters)
    return {
        label: [
            Choice(f"{value}s" if field == "decade" else value, count, build_url(pairs + added))
            for value, count in facets.get(FACET_BY_FIELD[field], {}).items()
            if not set(added := _build_added_pairs(field, value)) & set(pairs)
        ]
        for field, label in LABELS.items()
    }


def build_url(pairs: Pairs) -> str:
    """Returns the address of a search, or of the home page when there is nothing left to search for."""
    return f"/search?{urlencode(pairs)}" if {field for field, _ in pairs} - {"sort"} else "/"


def _build_added_pairs(field: str, value: str) -> Pairs:
    if field == "decade":
        return [("year_min", value), ("year_max", str(int(value) + 9))]
    return [(field, value)]


def build_shortcuts(parameters: SearchParameters, table: ItemTable) -> list[Shortcut]:
    """Lists filters whose value was typed as a text: a year (also after other words), a decade, a genre, a
    language, a country, a person, a tag. "Films" and "movies" after it do not count."""
    if not parameters.q or not parameters.build_filters().is_empty:
        return []
    typed = _MEDIUM_WORD.sub("", fold_name(parameters.q)) or fold_name(parameters.q)
    return [
        Shortcut(label, build_url([*pairs, ("sort", "popular")]))
        for label, pairs in (
            *_find_years(typed),
            *_find_named_values("genre", typed, table.genres),
            *_find_named_values("language", typed, table.languages),
            *_find_named_values("country", typed, table.countries),
            *_find_names("person", "with", typed, table.people_keys, table.people_rows),
            *_find_names("tag", "tagged", typed, table.tags_keys, table.tags_rows),
        )
    ]


def _find_years(typed: str) -> Iterator[tuple[str, Pairs]]:
    if match := _YEAR.fullmatch(typed):
        yield f"Films from {typed}", [("year_min", match[0]), ("year_max", match[0])]
    elif match := _DECADE.fullmatch(typed):
        first = int(match[1]) * 10 if len(match[1]) > 2 else 1900 + int(match[1]) * 10
        yield f"Films of the {first}s", [("year_min", str(first)), ("year_max", str(first + 9))]
    elif (words := split_year(typed))[1] is not None:
        year = str(words[1])
        yield f"“{words[0]}” from {year}", [("q", words[0]), ("year_min", year), ("year_max", year)]


def _find_named_values(field: str, typed: str, names: Sequence[str]) -> Iterator[tuple[str, Pairs]]:
    """Yields the value of this name; hyphens and blanks do not count."""
    compact = compact_title(typed)
    for name in names:
        if compact_title(name) == compact:
            yield f"{LABELS[field]}: {name}", [(field, name)]
            return


def _find_names(
    field: str, preposition: str, typed: str, keys: Hashes, rows: NDArray[np.int32]
) -> Iterator[tuple[str, Pairs]]:
    if len(find_named(keys, rows, [typed])):
        yield f"Films {preposition} {typed.title() if field == 'person' else typed}", [(field, typed)]

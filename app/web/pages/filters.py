"""Filters of the search page: the address without each active filter, and with each possible one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import request

from reelrank.app.search.page import Facets
from reelrank.app.web.api.parameters import SearchParameters
from reelrank.index_mappings.query import Sort

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
class SortChoice:
    """An order of the list, and the address of the list in this order."""

    label: str
    url: str
    is_current: bool


def read_parameters(names: Sequence[str]) -> dict[str, Any]:
    """Reads these parameters from the address, without the empty fields of a form."""
    stated = {name: [value for value in request.args.getlist(name) if value] for name in names}
    return {
        name: values if name in MULTI_VALUED_FIELDS else values[0]
        for name, values in stated.items()
        if values
    }


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

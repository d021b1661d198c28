"""The search form and what can be taken away from it or added: addresses made of addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import request

from app.search.page import Facets
from app.web.parameters import SearchParameters

LABELS = {"genre": "Genre", "language": "Language", "country": "Country", "decade": "Decade"}
FACET_OF = {"genre": "genres", "language": "languages", "country": "countries", "decade": "decades"}
Pairs = list[tuple[str, str]]
SEVERAL = ("genre", "language", "country")
NARROWING = (*SEVERAL, "year_min", "year_max", "duration_min_s", "duration_max_s")


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the address without it."""

    words: str
    without: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a facet, how many candidates have it, and the address with it."""

    words: str
    count: int
    address: str


def parameters(names: Sequence[str]) -> dict[str, Any]:
    """What the address says of these; fields of a form that were left empty are not said."""
    stated = {name: [value for value in request.args.getlist(name) if value] for name in names}
    return {name: values if name in SEVERAL else values[0] for name, values in stated.items() if values}


def stated_pairs(asked: SearchParameters) -> Pairs:
    """The query as address parameters, without a cursor."""
    pairs: Pairs = [("q", asked.q)]
    for field in SEVERAL:
        pairs += [(field, value) for value in getattr(asked, field)]
    for field in ("year_min", "year_max", "duration_min_s", "duration_max_s"):
        value = getattr(asked, field)
        pairs += [] if value is None else [(field, str(value))]
    return pairs


def chips_of(asked: SearchParameters) -> list[Chip]:
    pairs = stated_pairs(asked)
    return [
        Chip(_words(field, value), address([pair for pair in pairs if pair != (field, value)]))
        for field, value in pairs
        if field != "q"
    ]


def _words(field: str, value: str) -> str:
    if field in ("year_min", "year_max"):
        return f"{'from' if field == 'year_min' else 'until'} {value}"
    if field in ("duration_min_s", "duration_max_s"):
        return f"{'at least' if field == 'duration_min_s' else 'at most'} {int(value) / 60:.0f} minutes"
    return value


def choices_of(asked: SearchParameters, facets: Facets) -> Mapping[str, list[Choice]]:
    """Facet label to its values; a value that is on already is left out."""
    pairs = stated_pairs(asked)
    return {
        label: [
            Choice(f"{value}s" if field == "decade" else value, count, address(pairs + added))
            for value, count in facets.get(FACET_OF[field], {}).items()
            if not set(added := _added(field, value)) & set(pairs)
        ]
        for field, label in LABELS.items()
    }


def address(pairs: Pairs) -> str:
    return f"/search?{urlencode(pairs)}"


def _added(field: str, value: str) -> Pairs:
    if field == "decade":
        return [("year_min", value), ("year_max", str(int(value) + 9))]
    return [(field, value)]

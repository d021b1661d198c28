"""What a caller requests: a text, a viewer, filters, and the context of the request."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

QueryKind = Literal["search", "similar", "home"]
Sort = Literal["relevance", "newest", "popular", "title"]
"""The order of a list: as ranked, by date, by how often items are watched, or by title."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that every result meets. An item that does not state a field fails a filter on it.

    genres, languages, countries: at least one of these, ignoring case. people, tags: at least one of these
    whole names, ignoring case and accents. Ranges include both ends.
    """

    genres: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    year_min: int | None = None
    year_max: int | None = None
    duration_min_s: int | None = None
    duration_max_s: int | None = None
    people: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == NO_FILTERS


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Context:
    """Time, country and device of the request. `at` is timezone-aware (UTC)."""

    at: datetime = EPOCH
    country: str = ""
    device: str = ""

    @property
    def at_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return round(self.at.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Query:
    """A search (text), a home page (neither text nor similar_to) or a list of similar items.

    exclude: ids of items that are left out. fields: the fields of an item to answer with; empty for all.
    session: of the viewer, empty when unknown; it stands for a viewer who is not known in experiments.
    """

    text: str | None = None
    user: str | None = None
    similar_to: str | None = None
    filters: Filters = NO_FILTERS
    limit: int = 20
    context: Context = field(default_factory=Context)
    sort: Sort = "relevance"
    exclude: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    session: str = ""

    @property
    def kind(self) -> QueryKind:
        """Returns the kind of page, which decides the candidate sources."""
        if self.text:
            return "search"
        return "similar" if self.similar_to else "home"

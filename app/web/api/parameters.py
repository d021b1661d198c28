"""Parameters of lists, suggestions and scores, and their limits.

Bodies that change items are checked in `item_bodies.py`, events in `loaders/events/event_rows.py`.
"""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from reelrank.index_mappings.item import ID_PATTERN
from reelrank.index_mappings.query import Context, Filters, Query, Sort
from reelrank.ranking.retrieval.source_names import FEATURE_SOURCES

MAX_TEXT_LENGTH = 400
MAX_CANDIDATES = 10_000
MIN_YEAR, MAX_YEAR = 1800, 2200
MAX_ROW_SIZE = 50
MAX_EXCLUDED = 500

UserId = Annotated[str, Field(min_length=1, max_length=128)]
ItemId = Annotated[str, Field(pattern=f"^{ID_PATTERN.pattern}$")]
FilterValues = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=20)]
Year = Annotated[int, Field(ge=MIN_YEAR, le=MAX_YEAR)]
Seconds = Annotated[int, Field(ge=0, le=10_000_000)]
ItemField = Literal[
    "title", "description", "tags", "genres", "people", "languages", "countries", "language", "country",
    "published_at", "year", "duration_s", "thumbnail", "source_id",
]  # fmt: skip


def _split_at_commas(value: Any) -> Any:
    """Splits the texts of a list; anything else is left to the check of the type."""
    value = [value] if isinstance(value, str) else value
    if not isinstance(value, list):
        return value
    return [
        part.strip() if isinstance(part, str) else part
        for entry in value
        for part in (entry.split(",") if isinstance(entry, str) else [entry])
    ]


ItemFields = Annotated[
    list[ItemField], BeforeValidator(_split_at_commas), Field(max_length=len(get_args(ItemField)))
]
Score = Annotated[float, Field(ge=-3e38, le=3e38, allow_inf_nan=False)]
"""A number that float32 can hold."""


class Parameters(BaseModel):
    """Rejects unknown parameters. The schema is cached because flask-openapi builds it for every request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().model_json_schema(*args, **kwargs) if args or kwargs else _build_schema(cls)


@cache
def _build_schema(model: type[Parameters]) -> dict[str, Any]:
    return super(Parameters, model).model_json_schema()


class ListParameters(Parameters):
    """Filters, context and options that all lists share."""

    genre: FilterValues = Field([], description="Only items with one of these genres.")
    language: FilterValues = Field([], description="Only items in one of these languages.")
    country: FilterValues = Field([], description="Only items from one of these countries.")
    person: FilterValues = Field(
        [],
        description="Only items with one of these people: whole names, in any case, with or without accents.",
    )
    tag: FilterValues = Field(
        [], description="Only items with one of these tags: whole ones, in any case, with or without accents."
    )
    year_min: Year | None = Field(None, description="Published in this year or later.")
    year_max: Year | None = Field(None, description="Published in this year or earlier.")
    duration_min_s: Seconds | None = Field(None, description="At least this long, in seconds.")
    duration_max_s: Seconds | None = Field(None, description="At most this long, in seconds.")
    exclude: Annotated[list[ItemId], Field(max_length=MAX_EXCLUDED)] = Field(
        [], description="Ids of items that are left out."
    )
    sort: Sort = Field(
        "relevance",
        description="The order: relevance, newest, popular (most watched) or title. In another order than "
        "relevance, a search lists what has every word, or some word when nothing has them all.",
    )
    fields: ItemFields = Field(
        [], description="Fields of an item to answer with, repeated or separated by commas; without it, all."
    )
    limit: int = Field(20, ge=1, le=100, description="Hits per page.")
    cursor: str | None = Field(
        None,
        max_length=80,
        description="Cursor of the previous page. Of the other parameters limit, explain, highlight and user "
        "count; `user` says for whom the page is recorded.",
    )
    model: str | None = Field(
        None,
        max_length=100,
        description="Rank by this model, or by engine-order, instead of the promoted model.",
    )
    explain: bool = Field(False, description="Add each hit's matches, signals, features and contributions.")
    facets: bool = Field(
        False,
        description="Count the candidates by genre, language, country and decade; "
        "of a search those that match its words.",
    )
    user: UserId | None = Field(None, description="The viewer to rank for.")
    session: str = Field(
        "", max_length=128, description="The session; it stands for an unknown viewer in experiments."
    )
    device: str = Field("", max_length=64, description="The viewer's device, such as phone or tv.")
    place: str = Field("", max_length=64, description="The viewer's country, as ISO code or name.")

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for low, high in (("year_min", "year_max"), ("duration_min_s", "duration_max_s")):
            lowest, highest = getattr(self, low), getattr(self, high)
            if lowest is not None and highest is not None and lowest > highest:
                raise ValueError(f"{low} {lowest} is above {high} {highest}; swap them")
        return self

    def build_filters(self) -> Filters:
        return Filters(
            tuple(self.genre), tuple(self.language), tuple(self.country),
            self.year_min, self.year_max, self.duration_min_s, self.duration_max_s,
            tuple(self.person), tuple(self.tag),
        )  # fmt: skip

    def build_list_query(self, now: datetime, **parts: Any) -> Query:
        """Builds the query of a list from what all lists share and the given parts."""
        return Query(
            **parts, filters=self.build_filters(), limit=self.limit, context=self.build_context(now),
            sort=self.sort, exclude=tuple(self.exclude), fields=tuple(self.fields), session=self.session,
        )  # fmt: skip

    def build_context(self, now: datetime) -> Context:
        return Context(now, self.place, self.device)


class SearchParameters(ListParameters):
    q: str = Field(
        "",
        max_length=MAX_TEXT_LENGTH,
        description="The search text. Without it, filters select from recommendations.",
    )
    highlight: bool = Field(False, description="Mark what matches in the title, people and description.")

    @model_validator(mode="after")
    def _require_text_or_cursor(self) -> Self:
        if not self.q.strip() and not self.cursor and self.build_filters().is_empty:
            raise ValueError("q: state what to search for, such as ?q=star+wars, a filter or a cursor")
        return self

    def build_query(self, now: datetime) -> Query:
        return self.build_list_query(now, text=self.q.strip(), user=self.user)


class HomeParameters(ListParameters):
    rows: int = Field(
        0, ge=0, le=MAX_ROW_SIZE, description="Hits per row below the main list of a first page; 0: no rows."
    )
    user: UserId | None = Field(
        None, description="The viewer whose home page it is; without one, the page of an unknown viewer."
    )

    def build_query(self, now: datetime) -> Query:
        return self.build_list_query(now, user=self.user)


class SimilarParameters(ListParameters):
    def build_query(self, now: datetime, item_id: str) -> Query:
        return self.build_list_query(now, user=self.user, similar_to=item_id)


class SuggestParameters(Parameters):
    q: str = Field(
        "", max_length=MAX_TEXT_LENGTH, description="The text typed so far; empty for popular titles."
    )
    limit: int = Field(8, ge=1, le=20, description="Suggestions to return.")


class ItemPath(BaseModel):
    item_id: ItemId


class ModelPath(BaseModel):
    model: Annotated[str, Field(min_length=1, max_length=100)]


class ScoreParameters(Parameters):
    contributions: bool = Field(
        False,
        description="Return what each feature added, a column per feature and `base`, not the score.",
    )
    lambdarank: float = Field(
        1.0, ge=0, le=1000, description="Weight of the LambdaRank model, if `pointwise` is above 0."
    )
    pointwise: float = Field(
        0.0, ge=0, le=1000, description="Weight of the pointwise model; above 0 the score is a log-odds."
    )


def _describe_score_columns(schema: dict[str, Any]) -> None:
    """Names the columns that there may be."""
    column = schema.pop("additionalProperties")
    schema.update(properties=dict.fromkeys(FEATURE_SOURCES, column), additionalProperties=False)


class RankBody(Parameters):
    """The caller's own candidates as columns: ids, best first, and scores by candidate source."""

    ids: list[ItemId] = Field(min_length=1, max_length=MAX_CANDIDATES)
    limit: int = Field(MAX_CANDIDATES, ge=1, le=MAX_CANDIDATES, description="How many ids to answer.")
    scores: dict[str, list[Score | None]] = Field(
        {},
        json_schema_extra=_describe_score_columns,
        description=f"Source ({', '.join(FEATURE_SOURCES)}) to one score per id, null where it has none.",
    )
    user: UserId | None = None
    q: str = Field("", max_length=MAX_TEXT_LENGTH)
    device: str = Field("", max_length=64)
    place: str = Field("", max_length=64)

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("ids: an id is repeated; send each id once")
        for source, scores in self.scores.items():
            if source not in FEATURE_SOURCES:
                raise ValueError(f"scores: there is no source {source!r}; use {', '.join(FEATURE_SOURCES)}")
            if len(scores) != len(self.ids):
                raise ValueError(f"scores.{source}: {len(scores)} scores for {len(self.ids)} ids")
        return self

    def build_query(self, now: datetime) -> Query:
        context = Context(now, self.place, self.device)
        limit = min(self.limit, len(self.ids))
        return Query(text=self.q.strip() or None, user=self.user, limit=limit, context=context)

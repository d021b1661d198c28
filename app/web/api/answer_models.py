"""The shapes of JSON answers, for /openapi.json. The tests validate real answers against them.

A field that an answer may leave out has a default here.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from reelrank.app.search.page import MatchKind, RowKind
from reelrank.app.web.openapi import AnswerSchema
from reelrank.index_mappings.errors import Degradation
from reelrank.ranking.rankers.manifest import MetricEstimate


class Answer(BaseModel):
    """An answer has no field that its shape does not name."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().model_json_schema(*args, **kwargs | {"schema_generator": AnswerSchema})


class ItemAnswer(Answer):
    """One item of the catalogue. Fields that the catalogue does not state are left out."""

    id: str
    title: str = ""
    description: str = ""
    tags: list[str] = []
    genres: list[str] = []
    people: list[str] = []
    languages: list[str] = []
    countries: list[str] = []
    language: str = Field("", description="The first of `languages`.")
    country: str = Field("", description="The first of `countries`.")
    published_at: str = Field("", description="ISO 8601 with a time zone.")
    year: int = Field(0, description="The year of `published_at` in UTC.")
    duration_s: int = 0
    thumbnail: str = ""
    source_id: str = Field("", description="The id in the catalogue, when `id` is a hash of it.")


class ItemsAnswer(Answer):
    """A part of the catalogue, in the order of ids."""

    items: list[ItemAnswer]
    cursor: str | None = Field(description="Of the next part; null at the end.")
    next: str | None = Field(description="Address of the next part.")


class FoundItemsAnswer(Answer):
    items: list[ItemAnswer] = Field(description="In the order of the ids that were asked for.")
    missing: list[str] = Field(description="The ids that the catalogue does not hold.")


class ExplorationSlotAnswer(Answer):
    """How exploration chose the item of this position."""

    propensity: float = Field(description="The probability of this item at this position.")
    came_from: int = Field(description="The position, from 0, that the ranking gave the item.")


class SourceMatchAnswer(Answer):
    rank: int
    score: float | None


class ExplanationAnswer(Answer):
    """Why a hit has its position. `base` and all contributions add up to its score."""

    matches: dict[str, SourceMatchAnswer]
    signals: dict[str, float | None]
    features: dict[str, float | None]
    contributions: dict[str, float | None]
    base: float


class FragmentAnswer(Answer):
    """A title, a name or a part of a description, with what matches in it."""

    text: str
    ranges: list[tuple[int, int]] = Field(
        description="First character of each match, and the one after its last; in Unicode code points."
    )
    start: int = Field(description="Where the text begins in its field.")


class HitAnswer(ItemAnswer):
    """One item of a list."""

    position: int = Field(description="From 0, in the whole list.")
    score: float | None
    sources: dict[str, int] = Field(
        description="Each source that found the item, and its rank there, from 0."
    )
    match: MatchKind | SkipJsonSchema[None] = Field(
        None, description="Of a search: whether its words were found, or only its meaning."
    )
    drawn: ExplorationSlotAnswer | SkipJsonSchema[None] = Field(
        None, description="Of a hit in an exploration slot only."
    )
    explanation: ExplanationAnswer | SkipJsonSchema[None] = Field(None, description="With `explain` only.")
    highlight: dict[str, list[FragmentAnswer]] | SkipJsonSchema[None] = Field(
        None, description="With `highlight` only: `title`, `people` or `description`, where a word matches."
    )


class RowAnswer(Answer):
    """A row below a home page: a part of the list of the page, or of items similar to `watched`."""

    kind: RowKind
    request_id: str = Field(description="Names the list in which the hits have their positions.")
    genre: str | SkipJsonSchema[None] = Field(None, description="Of a row of this kind.")
    watched: ItemAnswer | SkipJsonSchema[None] = Field(None, description="Of a row because of this item.")
    hits: list[HitAnswer]


class ListAnswer(Answer):
    """One part of a ranked list."""

    request_id: str = Field(description="Names the list. Send it with the events that follow from it.")
    model: str = Field(description="The model that ranked the list, or `engine-order`.")
    index_version: str
    degraded: list[str] = Field(description="What was missing; empty for a complete answer.")
    candidates: int = Field(description="How many items were ranked.")
    hits: list[HitAnswer]
    cursor: str | None = Field(description="Of the next part; null at the end.")
    next: str | None = Field(description="Address of the next part.")
    match: MatchKind | None = Field(None, description="Of a search: `semantic` when no hit has its words.")
    total: int | SkipJsonSchema[None] = Field(None, description="Of a search: how many items have its words.")
    total_relation: Literal["eq", "gte"] | SkipJsonSchema[None] = Field(
        None, description="`gte`: `total` is a lower bound."
    )
    total_all_words: int | SkipJsonSchema[None] = Field(
        None, description="Of a search: how many items have all of its words, or are named by it."
    )
    total_all_words_relation: Literal["eq", "gte"] | SkipJsonSchema[None] = Field(
        None, description="`gte`: `total_all_words` is a lower bound."
    )
    message: str | SkipJsonSchema[None] = Field(None, description="What to tell the searcher, when there is.")
    did_you_mean: str | SkipJsonSchema[None] = Field(
        None, description="The text with its words corrected, or a name that begins almost so."
    )
    suggestions: list[str] | SkipJsonSchema[None] = Field(
        None, description="Texts that find something, when these words do not."
    )
    facets: dict[str, dict[str, int]] | SkipJsonSchema[None] = Field(
        None, description="With `facets` only: field to value to how many candidates have it."
    )
    rows: list[RowAnswer] | SkipJsonSchema[None] = Field(
        None, description="With `rows` only: the rows of a home page. No item is in two of them or in `hits`."
    )


class SuggestionAnswer(Answer):
    """A title, with its item, or a person, with the number of their items."""

    kind: Literal["title", "person"]
    text: str
    id: str | SkipJsonSchema[None] = None
    year: int | SkipJsonSchema[None] = None
    items: int | SkipJsonSchema[None] = None


class SuggestionsAnswer(Answer):
    q: str
    suggestions: list[SuggestionAnswer] = Field(description="Popular ones first.")


class RankAnswer(Answer):
    """The caller's candidates, best first, with one score each."""

    request_id: str
    model: str
    degraded: list[str]
    ids: list[str]
    scores: list[float | None]


class EventsAnswer(Answer):
    stored: int
    duplicates: int = Field(description="Events whose id was stored before.")
    unknown_items: list[str] = Field(
        description="The events' items that the catalogue does not hold, at most 100. They are stored."
    )


class UserAnswer(Answer):
    """What the service knows of one viewer."""

    id: str
    counts: dict[str, int] = Field(description="Kind of event to how many of the latest events are of it.")
    watched: list[str] = Field(description="Ids of the watched items, in the order of ids.")
    events: list[dict[str, Any]] = Field(description="The latest events, newest first.")


class ErasureAnswer(Answer):
    """What an erasure removed, and where. It does not name the viewer."""

    id: str
    status: Literal["running", "finished"]
    requested_at: str
    finished_at: str | None = Field(description="Null while it runs.")
    removed: dict[str, int] = Field(description="Place to the number of removed records.")


class ModelAnswer(Answer):
    id: str
    created_at: str | None
    kind: str
    serving: bool
    metrics: dict[str, MetricEstimate]
    problem: str = Field(description="Why the model cannot be read; empty when it can.")


class ModelsAnswer(Answer):
    serving: str
    models: list[ModelAnswer]


class PromotedAnswer(Answer):
    serving: str


class ModelColumnsAnswer(Answer):
    """The columns that a model reads, in their order."""

    model: str
    feature_names: list[str]
    feature_fingerprint: str
    embeddings_fingerprint: str
    ranks_cold_start: bool
    degraded: list[str]
    degradations: list[Degradation]


class LiveAnswer(Answer):
    alive: bool


class ReadyAnswer(Answer):
    ready: bool
    model: str
    degraded: list[str]
    index_version: str | None = None

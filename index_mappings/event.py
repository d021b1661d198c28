"""Events: what viewers did and what they were shown, in the shape of User Behavior Insights 1.3.

A field is declared once, as an annotated attribute of `Event`; EVENT_FIELDS is the table of the declarations.
Everything else that names every field is derived from that table: EVENT_SCHEMA, the columns of the embedded
store, the template of the servers, the body of the API, the fields of event files, the table in docs/api.md.
To add a field, append an attribute with a new `since`, write its reader, and run `make generate`.
"""

from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args, get_type_hints

import pyarrow as pa

from reelrank.index_mappings.item import ID_PATTERN

IndexKind = Literal["keyword", "text", "number", "flag"]
MAX_INT32 = 2**31 - 1
MAX_TIME_MS = 2**62 - 1
"""Half of int64, so that readers can subtract any two times."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """The values of a field. low, high: bounds of a number, both included."""

    name: str
    arrow: pa.DataType
    index: IndexKind
    low: float | None = None
    high: float | None = None

    @property
    def default(self) -> object:
        """Returns what a record holds that does not state the field, when the field is not nullable."""
        return {"keyword": "", "text": "", "flag": False}.get(self.index)


KEYWORD = FieldType("keyword", pa.string(), "keyword")
TEXT = FieldType("text", pa.string(), "text")
FLAG = FieldType("flag", pa.bool_(), "flag")
COUNT = FieldType("count", pa.int32(), "number", 0, MAX_INT32)
PROBABILITY = FieldType("probability", pa.float64(), "number", 0, 1)
TIMESTAMP = FieldType("timestamp, ms since 1970 UTC", pa.int64(), "number", -MAX_TIME_MS, MAX_TIME_MS)
DURATION = FieldType("duration, ms", pa.int64(), "number", -MAX_TIME_MS, MAX_TIME_MS)


@dataclass(frozen=True, slots=True)
class EventField:
    """One field of `Event`, as its attribute declares it.

    read_by: the readers, for docs/api.md. since: the version of the event schema that added the field.
    personal: it names a viewer or holds what they typed. max_length, pattern: limits of text over HTTP.
    The table fills the rest from the attribute: python_type without its annotation, and is_required for an
    attribute without a default.
    """

    type: FieldType
    description: str
    read_by: str
    since: int = 1
    personal: bool = False
    max_length: int = 1024
    pattern: str | None = None
    name: str = ""
    python_type: Any = None
    is_required: bool = False

    @property
    def is_nullable(self) -> bool:
        return not self.is_required and self.type.default is None


EventKind = Literal[
    "impression",
    "viewed",
    "click",
    "watch",
    "like",
    "dislike",
    "not_interested",
    "undo",
    "subscribe",
    "search",
]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
EXPOSURE_KINDS: tuple[EventKind, ...] = ("impression", "viewed")
"""impression: the item was on a page that was sent. viewed: its card was on the screen."""
USER_ACTIONS: tuple[EventKind, ...] = tuple(kind for kind in EVENT_KINDS if kind not in EXPOSURE_KINDS)
"""What a viewer did. A page has twenty times as many impressions."""
OPINION_KINDS: tuple[EventKind, ...] = ("like", "subscribe", "dislike", "not_interested", "undo")
"""What a viewer says about an item. The newest one counts; `undo` withdraws it."""
LIKE_KINDS: tuple[EventKind, ...] = ("like", "subscribe")
DISLIKE_KINDS: tuple[EventKind, ...] = ("dislike", "not_interested")
Surface = Literal["", "home", "search", "similar", "rank"]
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True, slots=True)
class Event:
    """One action of a viewer, or one item that a viewer was shown.

    Raises ValueError for a number that EVENT_SCHEMA cannot hold: one such row would stop every reader.
    """

    # fmt: off
    id: Annotated[str, EventField(
        KEYWORD, "Idempotency key: the same id counts once.", "event store, migration", max_length=128)]
    kind: Annotated[EventKind, EventField(KEYWORD, "What happened.", "all readers")]
    user: Annotated[str, EventField(
        KEYWORD, "The viewer.", "ranking, training, dashboards", personal=True, max_length=128)]
    at_ms: Annotated[int, EventField(TIMESTAMP, "When it happened.", "ranking, training, dashboards")]
    item: Annotated[str, EventField(
        KEYWORD, "The item; empty for a search only.", "ranking, training, dashboards",
        pattern=f"^({ID_PATTERN.pattern})?$")] = ""
    watched_ms: Annotated[int | None, EventField(
        DURATION, "How long a watch lasted.", "popularity, training, dashboards")] = None
    duration_ms: Annotated[int | None, EventField(
        DURATION, "Duration of the item that was watched.", "popularity, training, dashboards")] = None
    request_id: Annotated[str, EventField(
        KEYWORD, "The request whose page showed the item, if one did.",
        "engagements, `reelrank exploration`, dashboards", max_length=128)] = ""
    position: Annotated[int | None, EventField(
        COUNT, "Position on that page, from 0.", "`reelrank exploration`, dashboards")] = None
    text: Annotated[str, EventField(
        TEXT, "The search text, of a search or of the page.", "viewer history, training", personal=True)] = ""
    device: Annotated[str, EventField(
        KEYWORD, "Device of the viewer.", "training, dashboards", max_length=64)] = ""
    country: Annotated[str, EventField(
        KEYWORD, "Country of the viewer.", "training, saved search of Kibana", max_length=64)] = ""
    simulated: Annotated[bool, EventField(
        FLAG, "Made from a rating or by a generator, not observed.",
        "scan only, to leave out made-up events")] = False
    degraded: Annotated[str, EventField(
        KEYWORD, "Of an impression: what its page lacked.",
        "scan only, for training on complete pages", since=2)] = ""
    propensity: Annotated[float | None, EventField(
        PROBABILITY, "Of an impression in an exploration slot: the probability of this item there.",
        "`reelrank exploration`", since=3)] = None
    came_from: Annotated[int | None, EventField(
        COUNT, "Of an impression in an exploration slot: the position that the ranking gave the item.",
        "`reelrank exploration`", since=3)] = None
    surface: Annotated[Surface, EventField(
        KEYWORD, "Kind of page that showed the item.",
        "`reelrank exploration --by surface`, dashboards", since=4)] = ""
    session: Annotated[str, EventField(
        KEYWORD, "Session of the viewer.",
        "scan only, for session features", since=4, personal=True, max_length=128)] = ""
    release: Annotated[str, EventField(
        KEYWORD, "Release that served the page.",
        "`reelrank exploration --by release`", since=4, max_length=128)] = ""
    model: Annotated[str, EventField(
        KEYWORD, "Model that ranked the page.",
        "`reelrank exploration --by model`", since=4, max_length=128)] = ""
    experiment: Annotated[str, EventField(
        KEYWORD, "Experiment of the request.",
        "scan only, for the experiment report", since=4, max_length=128)] = ""
    variant: Annotated[str, EventField(
        KEYWORD, "Arm of that experiment.",
        "scan only, for the experiment report", since=4, max_length=128)] = ""
    received_ms: Annotated[int | None, EventField(
        TIMESTAMP, "When the service took the event in; set by it.",
        "popularity, training", since=4)] = None
    play_id: Annotated[str, EventField(
        KEYWORD, "One playback; all its events share it.",
        "scan only, for attribution", since=4, max_length=128)] = ""
    started_ms: Annotated[int | None, EventField(
        TIMESTAMP, "When that playback started.",
        "scan only, for attribution", since=4)] = None
    # fmt: on

    def __post_init__(self) -> None:
        for name, low, high in _NUMBER_RANGES:
            number = getattr(self, name)
            if number is not None and not low <= number <= high:
                raise ValueError(f"{name}: {number} is not between {low} and {high}")
        if self.propensity is not None or self.came_from is not None:
            self._check_exploration()

    def _check_exploration(self) -> None:
        is_complete = None not in (self.propensity, self.came_from, self.position)
        if not is_complete or self.kind != "impression":
            raise ValueError("propensity: give it with came_from and position, for an impression only")
        if self.propensity == 0:
            raise ValueError("propensity: 0 is not above 0")

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.at_ms / 1000, UTC)


def _read_fields() -> tuple[EventField, ...]:
    """Collects the declarations of `Event`, in the order of its attributes."""
    hints = get_type_hints(Event, include_extras=True)
    return tuple(
        replace(
            hints[attribute.name].__metadata__[0],
            name=attribute.name,
            python_type=get_args(hints[attribute.name])[0],
            is_required=attribute.default is MISSING,
        )
        for attribute in fields(Event)
    )


EVENT_FIELDS: tuple[EventField, ...] = _read_fields()
"""The fields of `Event` in its order, which is the order in which they were added."""
EVENT_VERSION = max(field.since for field in EVENT_FIELDS)
"""The version of the event schema: that of its newest field."""
EVENT_SCHEMA = pa.schema(
    [pa.field(field.name, field.type.arrow, nullable=field.is_nullable) for field in EVENT_FIELDS]
)
"""The columns of `Event` in Arrow and Parquet; scans of every EventStore answer in this schema."""
_NUMBER_RANGES = tuple(
    (field.name, field.type.low, field.type.high) for field in EVENT_FIELDS if field.type.low is not None
)

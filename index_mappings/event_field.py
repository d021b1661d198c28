"""How one field of an event is declared: its type, its index, its bounds, and what it means."""

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

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
        """What a record holds that does not state the field, when the field is not nullable."""
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

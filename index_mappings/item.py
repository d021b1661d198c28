"""One video of the catalogue, and the document that an index stores for it."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

FloatVector = NDArray[np.float32]

MAX_ID_LENGTH = 64
ID_PATTERN = re.compile(r"[!-~]{1,64}")
"""Printable ASCII without a space, so that ids fit numpy byte strings and have one order everywhere."""
ID_BYTES = 12
"""Two of a billion different keys get the same 96-bit hash with a probability of about 10^-11."""
MAX_TITLE_LENGTH = 300
"""Characters; longer ones are descriptions in the wrong column."""

BLANK_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
"""Unicode categories of spaces, controls and invisible marks."""
_CONTROL_SPACES = re.compile(r"[\t-\r\x1c-\x1f\x85]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ufeff]")
"""Control characters, and the byte order mark that a file may begin with."""


@dataclass(frozen=True, slots=True)
class Item:
    """One video. Empty text, empty tuples and None mean that the catalogue does not state the field.

    source_id: the id in the catalogue, when `id` is a hash of it. Raises ValueError when the id is not 1 to
    64 printable ASCII characters without a space, or published_at has no year in UTC.
    """

    id: str
    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    published_at: datetime | None = None
    duration_s: int | None = None
    thumbnail: str = ""
    source_id: str = ""

    def __post_init__(self) -> None:
        if not ID_PATTERN.fullmatch(self.id):
            raise ValueError(
                f"item id {self.id!r} must be 1 to {MAX_ID_LENGTH} printable ASCII characters without a space"
            )

        if self.published_at is not None:
            try:
                self.published_at.astimezone(UTC)
            except OverflowError as error:
                raise ValueError("published_at: it must be within the years 1 to 9999 in UTC") from error

    @property
    def language(self) -> str:
        """Returns the first language; empty when there is none."""
        return self.languages[0] if self.languages else ""

    @property
    def country(self) -> str:
        """Returns the first country; empty when there is none."""
        return self.countries[0] if self.countries else ""

    @property
    def year(self) -> int | None:
        return None if self.published_at is None else self.published_at.astimezone(UTC).year


def is_blank(text: str) -> bool:
    """Returns whether a text shows nothing: it is empty, or only spaces, controls and invisible marks."""
    return all(unicodedata.category(letter) in BLANK_CATEGORIES for letter in text)


def remove_controls(title: str) -> str:
    """Returns a title without control characters; line breaks and tabs become one space."""
    if _CONTROLS.search(title) is None:
        return title
    return _CONTROLS.sub("", _CONTROL_SPACES.sub(" ", title)).strip()


def make_item_id(source_id: str) -> str:
    """Returns the id of an item: the given one, or a hash of it when ids may not look like that."""
    return source_id if not source_id or ID_PATTERN.fullmatch(source_id) else hash_key((source_id,))


def hash_key(key: Sequence[str]) -> str:
    """Returns an id that is computed from texts, the same in every load."""
    return hashlib.blake2b(orjson.dumps(key), digest_size=ID_BYTES).hexdigest()


LIST_FIELDS = ("tags", "genres", "people", "languages", "countries")
SINGULAR_NAMES = {"languages": "language", "countries": "country"}
"""List fields whose first value also has a name: in API answers, and in documents of earlier builds."""


def read_list(stored: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Returns a list field of a stored item; one that an earlier build stored has a single value."""
    if name in stored:
        return tuple(stored[name])
    single = stored.get(SINGULAR_NAMES.get(name, ""))
    return (single,) if single else ()


def decode_item(stored: Mapping[str, Any]) -> Item:
    """Builds an item from its stored fields."""
    values = {name: stored[name] for name in Item.__slots__ if name in stored}
    values |= {name: read_list(stored, name) for name in LIST_FIELDS}
    if "published_at" in values:
        values["published_at"] = datetime.fromisoformat(values["published_at"])
    return Item(**values)


def put_first(first: str, names: Sequence[str]) -> tuple[str, ...]:
    """Returns the distinct names, `first` before the others unless it is empty."""
    return tuple(dict.fromkeys((first, *names) if first else names))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another item watched by the same viewers; weight in (0, 1]."""

    id: str
    weight: float


@dataclass(frozen=True, slots=True)
class Document:
    """An item as an index stores it: the item, and what was learned about it.

    vectors: field name (see `reelrank.index_mappings.fields.VECTOR_FIELDS`) to a float32 vector of that
    field's size; a missing field means the item is not found by kNN on it.
    neighbours: heaviest first, at most `reelrank.index_mappings.fields.MAX_NEIGHBOURS`.
    """

    item: Item
    vectors: Mapping[str, FloatVector] = field(default_factory=dict)
    neighbours: Sequence[Neighbour] = ()

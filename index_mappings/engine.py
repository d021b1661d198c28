"""The protocols that every engine fulfils: matching, index versions and live changes.

They speak the nouns of this package, never a query language. Errors are `reelrank.index_mappings.errors`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.fields import TEXT_FIELDS
from reelrank.index_mappings.item import Document, FloatVector, Item, Neighbour
from reelrank.index_mappings.match import Matches
from reelrank.index_mappings.query import NO_FILTERS, Filters
from reelrank.index_mappings.text import QueryWords, split_query


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Weighted multi-field BM25: the sum over fields of weight x BM25; any token may match.

    weights: text fields and their weights; other fields are not searched. Good weights depend on the length
    of titles and descriptions in the catalogue. all_words_bonus: added to the score of an item that has every
    content word of the text, in any of these fields. expansion: words that are searched for beside the text.
    Raises BadRequest for an unknown field.
    """

    source: str
    text: str
    limit: int
    filters: Filters = NO_FILTERS
    weights: tuple[tuple[str, float], ...] = tuple(TEXT_FIELDS.items())
    all_words_bonus: float = 0.0
    expansion: tuple[str, ...] = ()

    @property
    def words(self) -> QueryWords:
        return split_query(self.text, self.expansion)

    def __post_init__(self) -> None:
        if unknown := [field for field, _ in self.weights if field not in TEXT_FIELDS]:
            raise BadRequest(
                f"no text field {', '.join(unknown)}; use {', '.join(TEXT_FIELDS)}", code="unknown_text_field"
            )


@dataclass(frozen=True, slots=True, eq=False)
class VectorMatch:
    """The nearest items by cosine on one vector field. The score is the cosine, -1 to 1."""

    source: str
    field: str
    vector: FloatVector
    limit: int
    filters: Filters = NO_FILTERS


@dataclass(frozen=True, slots=True)
class NeighbourMatch:
    """Items that have any of these ids among their neighbours.

    The score is the sum over `seeds` of seed weight x the weight of the item's neighbour level.
    """

    source: str
    seeds: tuple[Neighbour, ...]
    limit: int
    filters: Filters = NO_FILTERS


@dataclass(frozen=True, slots=True)
class Rejection:
    """A document that was not written, with the reason."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class WriteReport:
    """The result of writing a batch: len(batch) == written + len(rejected), always."""

    written: int
    rejected: tuple[Rejection, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexVersion:
    """One version of the index. At most one is serving."""

    name: str
    created_at: datetime
    documents: int
    serving: bool


@dataclass(frozen=True, slots=True)
class WriteBlock:
    """A block of live changes to a version that serves. It is short while a promotion runs.

    epoch: the promotion epoch that it stands in. promoted_to: the version whose promotion made it; empty if
    an administrator, or an earlier build, made it.
    """

    version: str
    epoch: int
    promoted_to: str

    def __str__(self) -> str:
        """Returns what is blocked, by what, and the command that ends it."""
        cause = (
            f"by the promotion of {self.promoted_to}" if self.promoted_to else "not by a promotion of ours"
        )
        return (
            f"writes to the serving index version {self.version} are blocked, {cause}, so items cannot be "
            f"changed; if no promotion is running, run: reelrank index promote {self.version}"
        )


class Matcher(Protocol):
    """Answers the candidate requests of one query from the serving version.

    timeout_s: seconds left for the answer. Raises Timeout, Throttled, BadRequest, Unavailable (also when no
    version is serving), or Partial with the Matches of the part that answered.
    """

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches: ...

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches: ...

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches: ...


class SearchEngine(Matcher, Protocol):
    """An index of documents that has versions, one of which serves."""

    @property
    def name(self) -> str: ...

    def at_version(self, version: str) -> Matcher:
        """Returns a matcher that answers from this version even after another one was promoted.

        The version must serve or have served; it lacks changes that were made since it stopped serving.
        """
        ...

    def fetch(self, ids: Sequence[str], timeout_s: float) -> list[Item | None]:
        """Returns the serving version's items in the order of `ids`, with None for an unknown id.

        Raises Partial when some cannot be read; its partial_result has None for them too.
        """
        ...

    def scan(self, version: str, batch_size: int = 1000, after: str = "") -> Iterator[list[Document]]:
        """Yields a version's documents with ids above `after`, in the order of ids. Raises NotFound."""
        ...

    def read_changes(self, version: str, position: str | None) -> tuple[list[Document], str]:
        """Returns documents that were put live into a version after a position, and the next position.

        None: after the version began to serve. A document may come again; deleted ones are left out.
        Raises NotFound for an unknown version.
        """
        ...

    def create_index(self, version: str) -> None:
        """Creates an empty version beside the serving one. Raises Conflict if it exists."""
        ...

    def write(self, version: str, batch: Sequence[Document]) -> WriteReport:
        """Upserts into a version that is being built. Durable when it returns. Raises NotFound."""
        ...

    def make_ready(self, version: str) -> None:
        """Does the slow part of a promotion beforehand; the serving version stays. Raises NotFound."""
        ...

    def promote(self, version: str) -> None:
        """Makes a version the serving one, atomically. Does nothing if it serves already. Raises NotFound.

        A serving version has every upsert and delete acknowledged since its `create_index`, whichever version
        served at that time and however often versions were promoted since. It keeps its learned vectors and
        neighbours. A change during a promotion is acknowledged only when the version that then serves has it;
        a change that fails may be in some versions only. One of two concurrent promotions may raise Conflict.
        """
        ...

    def find_write_block(self) -> WriteBlock | None:
        """Returns the block of live changes to the serving version; None where they are accepted."""
        ...

    def drop(self, version: str) -> None:
        """Removes a version. Raises NotFound; Conflict if it is serving."""
        ...

    def versions(self) -> list[IndexVersion]:
        """Returns all versions, newest first."""
        ...

    def serving_version(self) -> str | None: ...

    def upsert(self, batch: Sequence[Document]) -> WriteReport:
        """Writes into the serving version, and into any other version when it serves again.

        Durable when it returns, visible within 2 seconds. A document without learned vectors or neighbours
        keeps those that the version has.
        """
        ...

    def delete(self, ids: Sequence[str]) -> int:
        """Deletes from the serving version, and from any other version when it serves again.

        Returns how many documents existed. Durable when it returns.
        """
        ...

    def is_ready(self) -> bool:
        """Returns whether a version is serving and answers at least in part."""
        ...

    def close(self) -> None: ...

"""A page: what a viewer is answered, and where it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reelrank.app.search.viewers import KnownViewer
from reelrank.index_mappings.errors import NO_MODEL, Degradation
from reelrank.index_mappings.item import Item
from reelrank.index_mappings.query import Query
from reelrank.ranking.policies.policy import PositionChange

MAX_LABEL_LENGTH = 40
"""Characters of a source's name that metrics and dashboards count by."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit has its position.

    matches: source to (rank from 0, score). signals, features: by name; a missing value is left out.
    contributions: feature to what it added to the score; base: the score of a hit about which nothing
    is known. base and all contributions add up to the hit's score.
    """

    matches: Mapping[str, tuple[int, float]]
    signals: Mapping[str, float]
    features: Mapping[str, float]
    contributions: Mapping[str, float]
    base: float


MatchKind = Literal["lexical", "semantic", "none"]
"""How a text matches: by its words, only in meaning, or not at all."""
MESSAGES: Mapping[str, str] = {
    "semantic": "No title or text contains these words; these are similar in meaning.",
    "none": "No title or text contains these words, and nothing is similar in meaning.",
}
SOME_WORDS = "No item has all these words; these have some of them."


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """What the text of a search matched.

    match: of the best candidates; None when the sources that match words did not answer. total: candidates
    that match by their words; is_lower_bound: there may be more of them than the sources were asked for.
    text: as typed. spelling: the text that was searched, with misspelt words corrected. did_you_mean: what
    was probably meant, as the catalogue writes it. suggestions: texts that find something, if this does not.
    expansion: words that were searched beside it, such as synonyms. all_words: how many items have all of
    the words or are named by the text, None where that is unknown; all_words_is_lower_bound: or more.
    """

    match: MatchKind | None
    total: int
    is_lower_bound: bool = False
    text: str = ""
    spelling: str = ""
    did_you_mean: str = ""
    suggestions: tuple[str, ...] = ()
    expansion: tuple[str, ...] = ()
    all_words: int | None = None
    all_words_is_lower_bound: bool = False

    @property
    def lacks_words(self) -> bool:
        """Returns whether items match, but none has all words."""
        return self.match == "lexical" and self.all_words == 0 and not self.all_words_is_lower_bound

    @property
    def some_words(self) -> int:
        """Returns how many items match without having all words."""
        return 0 if self.all_words is None else max(self.total - self.all_words, 0)

    @property
    def message(self) -> str:
        """Returns a sentence for people; empty when all words match or when that is not known."""
        if self.lacks_words:
            return SOME_WORDS
        return MESSAGES.get(self.match or "lexical", "")


@dataclass(frozen=True, slots=True)
class Fragment:
    """A text, and the parts of it that match: [start, end) in characters, in order, without overlap.

    start: where the text begins in its field.
    """

    text: str
    ranges: tuple[tuple[int, int], ...]
    start: int = 0


Highlight = Mapping[str, tuple[Fragment, ...]]
"""Field (`title`, `people`, `description`) to its fragments that match; fields without a match are absent."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One item shown. position: from 0 in the whole list. sources: source name to the rank, from 0,
    at which it found the item. exploration_slot: how exploration chose it, None when the ranking did.
    match: of a search, how its text matches the item; None for other lists. highlight: what it matched."""

    item: Item
    score: float
    position: int
    sources: Mapping[str, int]
    exploration_slot: PositionChange | None = None
    explanation: Explanation | None = None
    match: MatchKind | None = None
    highlight: Highlight = field(default_factory=dict)


Facets = Mapping[str, Mapping[str, int]]
"""Field (`genres`, `languages`, `countries`, `decades`) to value to how many candidates have it; of a
search, how many that match by their words."""


RowKind = Literal["because", "popular", "new", "genre"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a home page. request_id: of the list that its hits have their positions in.

    label: the genre of a row of that kind. watched: the item because of which the row is shown.
    is_only_liked: the viewer liked that item and never watched it.
    """

    kind: RowKind
    request_id: str
    hits: tuple[Hit, ...]
    label: str = ""
    watched: Item | None = None
    is_only_liked: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One part of a ranked list, `request_id` naming the list.

    degraded: what was missing when it was made. cursor: of the next part; None at the end. timings: seconds
    each stage took, by its name. search: of a search, what its text matched. fields: the fields of an item to
    answer with; empty for all. rows: of a home page that was requested with rows; no item is in two of them
    or in `hits`. similar_to: the item that the list is similar to, empty for other lists. asked: its sources.
    """

    request_id: str
    hits: tuple[Hit, ...]
    model: str
    version: str
    degraded: tuple[Degradation, ...]
    candidates: int
    cursor: str | None = None
    facets: Facets = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    search: SearchOutcome | None = None
    fields: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    similar_to: str = ""
    asked: tuple[str, ...] = ()

    @property
    def has_no_model(self) -> bool:
        """Returns whether no model is trained or promoted, so that the engine's order serves."""
        return NO_MODEL in self.degraded

    @property
    def failures(self) -> tuple[Degradation, ...]:
        """Returns what failed or was late; to load the page again may help."""
        return tuple(missing for missing in self.degraded if missing != NO_MODEL)

    @property
    def missing_parts(self) -> tuple[str, ...]:
        """Returns the sources of what was missing, each once: few enough values to count by."""
        return tuple(sorted({missing.source[:MAX_LABEL_LENGTH] for missing in self.degraded}))


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """A query and options of its answer.

    model: None for the promoted one. row_size: of a home page, most hits of each row; 0 for no rows.
    cache_results: cache a list that fits one page too, to explain it later. viewer: and what could not be
    read of them; None to read them.
    """

    query: Query
    model: str | None = None
    explain: bool = False
    facets: bool = False
    cache_results: bool = False
    row_size: int = 0
    viewer: KnownViewer | None = None

"""A page: what a viewer is answered, and what made it so."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reelrank.index_mappings.item import Item
from reelrank.ranking.policies.thompson import ExplorationSlot


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit stands where it stands.

    matches: source to (rank from 0, score). signals, features: by name; a missing value is left out.
    contributions: feature to what it added to the score; base: the score of a hit of which nothing
    is known. base and all contributions add up to the hit's score.
    """

    matches: Mapping[str, tuple[int, float]]
    signals: Mapping[str, float]
    features: Mapping[str, float]
    contributions: Mapping[str, float]
    base: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One item shown. position from 0 in the whole list; sources: source name to the rank, from 0,
    it was found at; draw: how exploration put it here, None when the ranking did."""

    item: Item
    score: float
    position: int
    sources: Mapping[str, int]
    exploration_slot: ExplorationSlot | None = None
    explanation: Explanation | None = None


Facets = Mapping[str, Mapping[str, int]]
"""Field (`genres`, `languages`, `countries`, `decades`) to value to how many candidates have it."""


@dataclass(frozen=True, slots=True)
class Page:
    """One part of a ranked list, `request_id` naming the list.

    degraded: what was missing when it was made, in words; empty when nothing was. cursor: of the
    next part; None at the end. stages: seconds each stage took, by its name.
    """

    request_id: str
    hits: tuple[Hit, ...]
    model: str
    version: str
    degraded: tuple[str, ...]
    candidates: int
    cursor: str | None = None
    facets: Facets = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def missing_parts(self) -> tuple[str, ...]:
        """What was missing, each once and without its reason: few enough to be counted by."""
        return tuple(sorted({reason.partition(":")[0][:40] for reason in self.degraded}))

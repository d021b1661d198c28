"""A page: what a viewer is answered, and what made it so."""

from dataclasses import dataclass

from index_mappings.item import Item


@dataclass(frozen=True, slots=True)
class Hit:
    """One item shown. position from 0; sources: source name to the rank, from 0, it was found at."""

    item: Item
    score: float
    position: int
    sources: dict[str, int]


@dataclass(frozen=True, slots=True)
class Page:
    """degraded: what was missing when the page was made, in words; empty when nothing was."""

    hits: tuple[Hit, ...]
    model: str
    degraded: tuple[str, ...]
    candidates: int

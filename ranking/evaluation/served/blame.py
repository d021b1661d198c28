"""Why a page did not show what its viewer watched afterwards: the first step at which the item was lost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.match import encode_item_ids
from reelrank.index_mappings.query import Filters
from reelrank.ranking.evaluation.served.wanted import CUTOFF
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.retrieval.fusion import Candidates

MOST_FEATURES = 3


class Cause(StrEnum):
    """Where an item was lost, in the order of the pipeline. NEAR_THE_TOP: it was not."""

    NOT_INDEXED = "not in the index"
    FILTERED = "filtered out"
    NOT_RETRIEVED = "not retrieved"
    CUT = "cut by the limit of a source"
    RANKED_LOW = "ranked below the page"
    SHOWN_LOW = "shown further down"
    NEAR_THE_TOP = "shown near the top"


@dataclass(frozen=True, slots=True)
class Blame:
    """One item that was wanted after a request.

    rank: from 1, in the list that the cause names: the page, the ranking, or that of the nearest source;
    0 without one. source: the nearest one, for CUT. features: those that pushed it down most against the last
    item near the top, for RANKED_LOW.
    """

    request_id: str
    surface: str
    item: str
    cause: Cause
    rank: int = 0
    source: str = ""
    features: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        match self.cause:
            case Cause.CUT:
                return f"number {self.rank} of source {self.source}, below its limit"
            case Cause.RANKED_LOW:
                why = f"; {', '.join(self.features)} held it down" if self.features else ""
                return f"ranked number {self.rank}{why}"
            case Cause.SHOWN_LOW | Cause.NEAR_THE_TOP:
                return f"shown at number {self.rank}"
            case _:
                return self.cause.value


@dataclass(frozen=True, slots=True, eq=False)
class RankedPage:
    """A logged request: the position from 0 of each item that it showed, its candidates when it is ranked
    again, and their order [n]."""

    request_id: str
    surface: str
    shown: Mapping[bytes, int]
    candidates: Candidates
    order: NDArray[np.intp]
    filters: Filters


def find_lost(page: RankedPage, item: bytes, table: ItemTable) -> Blame:
    """Finds where an item was lost, without asking sources again: CUT is not told from NOT_RETRIEVED."""
    name = item.decode()
    position = page.shown.get(item, -1)
    if position >= 0:
        cause = Cause.NEAR_THE_TOP if position < CUTOFF else Cause.SHOWN_LOW
        return Blame(page.request_id, page.surface, name, cause, position + 1)
    rows = table.find_rows(encode_item_ids([name]))
    if rows[0] < 0:
        return Blame(page.request_id, page.surface, name, Cause.NOT_INDEXED)
    if not table.passes(page.filters, rows)[0]:
        return Blame(page.request_id, page.surface, name, Cause.FILTERED)
    candidate = np.flatnonzero(page.candidates.ids == item)
    if not len(candidate):
        return Blame(page.request_id, page.surface, name, Cause.NOT_RETRIEVED)
    rank = int(np.flatnonzero(page.order == candidate[0])[0]) + 1
    return Blame(page.request_id, page.surface, name, Cause.RANKED_LOW, rank)


def find_nearest_source(wider: Candidates, asked: Sequence[str], item: bytes) -> tuple[str, int] | None:
    """Returns the source that ranks the item best when sources are asked for more, and the rank from 1."""
    row = np.flatnonzero(wider.ids == item)
    if not len(row):
        return None
    ranks = {source: int(wider.get_source_ranks(source)[row[0]]) for source in asked}
    found = {source: rank for source, rank in ranks.items() if rank >= 0}
    if not found:
        return None
    source = min(found, key=lambda name: found[name])
    return source, found[source] + 1


def name_held_down(
    contributions: NDArray[np.float32], names: Sequence[str], most: int = MOST_FEATURES
) -> tuple[str, ...]:
    """Names the features that push the first row down against the second.

    contributions [2, F + 1]: of the item and of the last one near the top; the last column is the same.
    """
    less = contributions[0, :-1] - contributions[1, :-1]
    worst = np.argsort(less, kind="stable")[:most]
    return tuple(names[column] for column in worst if less[column] < 0)


def count_causes(blamed: Sequence[Blame]) -> dict[str, Counter[Cause]]:
    """Counts the causes on each surface, and on all."""
    counts: dict[str, Counter[Cause]] = {"all": Counter(one.cause for one in blamed)}
    for one in blamed:
        counts.setdefault(one.surface, Counter())[one.cause] += 1
    return counts

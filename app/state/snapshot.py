"""What a worker answers from at a moment. Replaced as a whole, never altered, when anything changes."""

from dataclasses import dataclass

from reelrank.app.state.activity_counters import ActivityCounters
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.rankers.lambdarank import Ranker


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """table and crowd are of index version `version`. degraded: what is missing, in words.

    The crowd alone goes on counting while it is read: a page may miss the newest second.
    """

    version: str
    table: ItemTable
    activity: ActivityCounters
    ranker: Ranker
    degraded: tuple[str, ...] = ()

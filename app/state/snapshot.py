"""What a worker answers from. Replaced as a whole, never changed in place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reelrank.app.state.activity_counters import ActivityCounters
from reelrank.index_mappings.engine import Matcher
from reelrank.index_mappings.errors import Degradation
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.rankers.lambdarank import Ranker


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """One consistent set: table, activity and matcher belong to index version `version`.

    Only `activity` changes while it is read: it goes on counting, and a page may miss the newest second.
    degraded: what is missing. embeddings: fingerprint of what the version has learned; empty when it is not
    known. release: its id, empty before there is one. config: the ranking settings that it records.
    """

    version: str
    table: ItemTable
    activity: ActivityCounters
    ranker: Ranker
    matcher: Matcher
    degraded: tuple[Degradation, ...] = ()
    embeddings: str = ""
    release: str = ""
    config: Mapping[str, float] = field(default_factory=dict)

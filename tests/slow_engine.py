"""An embedded engine, and events of viewers, that answer nothing before the deadline."""

import time

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.engine import Matcher, NeighbourMatch, TextMatch, VectorMatch
from reelrank.index_mappings.errors import Timeout
from reelrank.index_mappings.event import EventKind
from reelrank.index_mappings.event_store import PastEvent
from reelrank.index_mappings.match import Matches, build_empty_matches


class SlowMatcher:
    """Answers everything after the deadline."""

    def match_text(self, request: TextMatch, timeout_s: float) -> Matches:
        return self.match(request)

    def match_vector(self, request: VectorMatch, timeout_s: float) -> Matches:
        return self.match(request)

    def match_ids(self, request: NeighbourMatch, timeout_s: float) -> Matches:
        return self.match(request)

    def match(self, request: TextMatch | VectorMatch | NeighbourMatch) -> Matches:
        time.sleep(0.3)
        return build_empty_matches(request.source)


class SlowEngine(EmbeddedEngine):
    """An engine whose index answers too late; its items can be read."""

    def at_version(self, version: str) -> Matcher:
        return SlowMatcher()


class SlowEvents(EmbeddedEvents):
    """Events of which a viewer's past is late: recent ones by a timeout, the rest long after the deadline."""

    def past(self, user: str, limit: int, timeout_s: float, *_: object) -> list[PastEvent]:
        time.sleep(timeout_s)
        raise Timeout("no answer in time")

    def watched_items(self, user: str, timeout_s: float) -> frozenset[str]:
        time.sleep(2)
        return super().watched_items(user, timeout_s)

    def opinions(self, user: str, timeout_s: float) -> dict[str, EventKind]:
        time.sleep(2)
        return super().opinions(user, timeout_s)

"""An embedded engine that answers no source before the deadline."""

import time

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.engine import Matcher, NeighbourMatch, TextMatch, VectorMatch
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

"""A data stream that dashboards read: lines are added, seen within seconds, and nobody waits for them."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.engines.server.bulk import Action, Bulk
from app.engines.server.cluster import Cluster
from app.engines.server.generations import EXISTS, Generations, Lifetime, map_fields
from index_mappings.errors import BadRequest

PATIENCE_S = 5.0
"""Lines may be lost; those who write them must not wait long."""

MADE_OTHERWISE = ("no handler found", "Incorrect HTTP method")


class DashboardStream:
    """template: of the one data stream that it is for, which is made at the first line."""

    def __init__(self, cluster: Cluster, template: Mapping[str, Any], lifetime: Lifetime) -> None:
        (self.name,) = template["index_patterns"]
        self.cluster = cluster
        self.template = template
        self.generations = Generations(cluster, self.name, lifetime)
        self._made = False

    def add(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Each with its id and at_ms. Raises EngineError; an id counts once within a backing index."""
        if not self._made:
            self.cluster.demand("PUT", f"/_index_template/{self.name}", self.template)
            self._make_stream()
            self._made = True
        actions = [_action(line) for line in lines]
        for verdict in Bulk(self.cluster, self.name, patience_s=PATIENCE_S).write(actions):
            if not verdict.done and verdict.status != 409:
                raise BadRequest(f"a line does not fit {self.name}: {verdict.reason}")
        self.generations.tidy_when_due()

    def _make_stream(self) -> None:
        """Some clusters forbid a write to make it; some lack this request, and a write makes it."""
        status, reply = self.cluster.command("PUT", f"/_data_stream/{self.name}")
        if EXISTS in str(reply):
            map_fields(self.cluster, self.name, self.template)
        elif not any(words in str(reply) for words in MADE_OTHERWISE):
            self.cluster.accepted(status, reply, f"making {self.name}")


def _action(line: Mapping[str, Any]) -> Action:
    stated = {name: fact for name, fact in line.items() if name not in ("id", "at_ms") and fact is not None}
    return Action("create", line["id"], {"@timestamp": line["at_ms"], **stated})

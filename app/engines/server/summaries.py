"""Request summaries on a cluster: a data stream that dashboards read and nothing else."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.engines.server.bulk import Action, Bulk
from app.engines.server.cluster import Cluster
from app.engines.server.generations import FOR_EVER, Generations, Lifetime
from app.search.summary import Summary
from index_mappings.errors import BadRequest
from index_mappings.mapping import requests_template

PATIENCE_S = 5.0
"""Summaries may be lost; those who write them must not wait long."""

MADE_OTHERWISE = ("resource_already_exists", "no handler found", "Incorrect HTTP method")


class ServerSummaries:
    """Seen by searches within seconds, not at once: nobody waits for them."""

    def __init__(self, cluster: Cluster, stream: str, lifetime: Lifetime = FOR_EVER) -> None:
        self.cluster = cluster
        self.stream = stream
        self.generations = Generations(cluster, stream, lifetime)
        self._made = False

    def append(self, summaries: Sequence[Summary]) -> None:
        """Raises EngineError; the same id within a backing index counts once."""
        if not self._made:
            self.cluster.demand("PUT", f"/_index_template/{self.stream}", requests_template(self.stream))
            self._make_stream()
            self._made = True
        actions = [Action("create", summary.id, _source(summary)) for summary in summaries]
        for verdict in Bulk(self.cluster, self.stream, patience_s=PATIENCE_S).write(actions):
            if not verdict.done and verdict.status != 409:
                raise BadRequest(f"a request summary does not fit {self.stream}: {verdict.reason}")
        self.generations.tidy_when_due()

    def _make_stream(self) -> None:
        """Some clusters forbid a write to make it; some lack this request, and a write makes it."""
        status, reply = self.cluster.command("PUT", f"/_data_stream/{self.stream}")
        is_known = any(words in str(reply) for words in MADE_OTHERWISE)
        if not is_known:
            self.cluster.accepted(status, reply, f"making {self.stream}")


def _source(summary: Summary) -> dict[str, Any]:
    facts = {name: fact for name, fact in asdict(summary).items() if name not in ("id", "at_ms")}
    return {"@timestamp": summary.at_ms, **facts}

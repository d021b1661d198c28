"""The log of live changes: which items changed, in one order, so that a new version can catch up.

One document for each item, rewritten at each change: the log never outgrows the catalogue.
A change is noted once it is made: whoever reads the log and then the items sees it made.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from app.engines.server.bulk import Action, Bulk
from app.engines.server.cluster import Cluster
from app.engines.server.pages import checkpoint, pages
from index_mappings.errors import BadRequest
from index_mappings.mapping import changes_index


class Changes:
    """Positions are the sequence numbers of the log's one shard."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self.cluster = cluster
        self.index = index

    def position(self) -> int:
        """Where the log stands now: the log is made if there is none."""
        status, reply = self.cluster.command("PUT", f"/{self.index}", changes_index())
        if status >= 300 and "resource_already_exists" not in str(reply):
            self.cluster.accepted(status, reply, f"making {self.index}")
        return checkpoint(self.cluster, self.index)[self.index]

    def note(self, ids: Sequence[str]) -> None:
        """Durable when it returns."""
        now = datetime.now(UTC).isoformat()
        notes = [Action("index", name, {"item": name, "at": now}) for name in dict.fromkeys(ids)]
        for note, verdict in zip(notes, Bulk(self.cluster, self.index).write(notes), strict=True):
            if not verdict.done:
                raise BadRequest(f"the change of {note.id} could not be noted: {verdict.reason}")

    def since(self, position: int) -> Iterator[list[str]]:
        """Ids of the items that changed after a position, each once."""
        self.cluster.refresh(self.index)
        body = {
            "query": {"range": {"_seq_no": {"gt": position}}},
            "_source": False,
            "docvalue_fields": ["item"],
        }
        for hits in pages(self.cluster, self.index, body, ["item"]):
            yield [hit["fields"]["item"][0] for hit in hits]

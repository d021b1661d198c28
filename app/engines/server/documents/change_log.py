"""The change log: the last live change of each item, in one order, for versions that lack it.

It holds one document per item, replaced at each change, so it never outgrows the catalogue. The document is
the item as written: a version created after the change may be serving when another version needs the change.
A change is logged after it was applied, so everything in the log is also in the serving index.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from reelrank.app.engines.server.documents.documents import LEARNED_PROPERTIES, remove_searched_fields
from reelrank.app.engines.server.transport.bulk import BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.engines.server.transport.paging import read_checkpoint, scan_pages
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.mapping import build_changes_index

SEQ_NO_BITS = 40
"""Changes are ordered by promotion epoch, then by sequence number in the serving index, packed into one
external version number. At 10,000 changes per second, 2^40 sequence numbers last 3 years."""


@dataclass(frozen=True, slots=True)
class Change:
    """The last live change of an item.

    source: the document as written; None for a deletion. epoch, seq_no: see SEQ_NO_BITS.
    """

    item_id: str
    source: Mapping[str, Any] | None
    epoch: int
    seq_no: int = 0

    @property
    def lacks_fields(self) -> bool:
        """Returns whether the written document lacks a vector or neighbours."""
        if self.source is None:
            return False
        return not self.source.get("neighbours") or len(self.source.get("vectors", {})) < len(VECTOR_FIELDS)

    def merge_missing_fields(self, earlier: Mapping[str, Any] | None) -> "Change":
        """Returns the change with the vectors and neighbours that only an earlier source has."""
        if self.source is None or earlier is None:
            return self
        learned = {name: earlier[name] for name in LEARNED_PROPERTIES if name in earlier}
        vectors = {**learned.get("vectors", {}), **self.source.get("vectors", {})}
        merged = {**learned, **self.source, **({"vectors": vectors} if vectors else {})}
        return replace(self, source=merged)

    def build_action(self, now: datetime) -> BulkAction:
        """Builds the write to the log. The server answers 409 if the log has a later change of the item."""
        document = {} if self.source is None else {"document": remove_searched_fields(self.source)}
        body = {"item": self.item_id, "at": now.isoformat(), "turn": self.epoch, **document}
        order = {"version": self.epoch << SEQ_NO_BITS | self.seq_no, "version_type": "external_gte"}
        return BulkAction("index", self.item_id, body, order)


class ChangeLog:
    """Positions are the sequence numbers of the log's only shard."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self.cluster = cluster
        self.index = index

    def read_position(self) -> int:
        """Returns the position of the last change. Create the log if it does not exist."""
        status, reply = self.cluster.request("PUT", f"/{self.index}", build_changes_index())
        if status >= 300 and "resource_already_exists" not in str(reply):
            self.cluster.check_response(status, reply, f"creating {self.index}")
        return read_checkpoint(self.cluster, self.index)[self.index]

    def append(self, changes: Sequence[Change]) -> None:
        """Logs changes durably. The log keeps its own change of an item if that one is later."""
        now = self.cluster.clock.now()
        actions = [change.build_action(now) for change in changes]
        results = BulkWriter(self.cluster, self.index).write(actions)
        for action, result in zip(actions, results, strict=True):
            if not result.succeeded and result.status != 409:
                raise BadRequest(
                    f"cannot log the live change of {action.document_id} in {self.index}: {result.reason}",
                    code="change_log_failed",
                )

    def scan_since(self, position: int) -> Iterator[list[Change]]:
        """Yields the last change of each item that changed after a position.

        Changes logged by an early build have epoch 0 and no source: read the document from the serving index.
        """
        self.cluster.refresh(self.index)
        body = {"query": {"range": {"_seq_no": {"gt": position}}}}
        for hits in scan_pages(self.cluster, self.index, body, ["item"]):
            entries = [hit["_source"] for hit in hits]
            yield [Change(entry["item"], entry.get("document"), entry.get("turn", 0)) for entry in entries]

    def read_last_epoch(self) -> int:
        """Returns the latest epoch in which a change was logged; 0 when the log is empty."""
        epochs = (change.epoch for changes in self.scan_since(-1) for change in changes)
        return max(epochs, default=0)

    def prune(self, position: int) -> None:
        """Removes the changes up to a position, except those that are logged again meanwhile."""
        body = {
            "query": {"range": {"_seq_no": {"lte": position}}},
            "_source": False,
            "seq_no_primary_term": True,
        }
        self.cluster.refresh(self.index)
        for hits in scan_pages(self.cluster, self.index, body, ["item"]):
            BulkWriter(self.cluster, self.index).write([_build_removal(hit) for hit in hits])


def _build_removal(hit: Mapping[str, Any]) -> BulkAction:
    """Removes an entry only if it is unchanged. Not every server has the module for delete-by-query."""
    unchanged = {"if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}
    return BulkAction("delete", hit["_id"], params=unchanged)

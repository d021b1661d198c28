"""The change log: the last live change of each item, in one order, for versions that lack it.

One document for each item, replaced at each change: the log does not outgrow the catalogue. It holds the
item as it was written: a version that was created after the change may serve when another one needs it.
A change is logged once it is applied: whoever reads the log knows that the serving index has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from reelrank.app.engines.server.documents.documents import LEARNED_PROPERTIES, kept_source
from reelrank.app.engines.server.transport.bulk import BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.app.engines.server.transport.paging import read_checkpoint, scan_pages
from reelrank.index_mappings.errors import BadRequest
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.mapping import build_changes_index

SEQ_NO_BITS = 40
"""A change is ordered by its turn and its sequence number in the serving index, as one external version: at
10,000 changes a second it takes 3 years to use up 2^40 numbers."""


@dataclass(frozen=True, slots=True)
class Change:
    """source: what was written; None for a deletion. turn, seq_no: see SEQ_NO_BITS."""

    item: str
    source: Mapping[str, Any] | None
    turn: int
    seq_no: int = 0

    @property
    def lacks_fields(self) -> bool:
        """Whether the written document has not all vectors and neighbours."""
        if self.source is None:
            return False
        return not self.source.get("neighbours") or len(self.source.get("vectors", {})) < len(VECTOR_FIELDS)

    def merge_missing_fields(self, earlier: Mapping[str, Any] | None) -> "Change":
        """The change with the vectors and neighbours of an earlier source where it has none itself."""
        if self.source is None or earlier is None:
            return self
        learned = {name: earlier[name] for name in LEARNED_PROPERTIES if name in earlier}
        vectors = {**learned.get("vectors", {}), **self.source.get("vectors", {})}
        merged = {**learned, **self.source, **({"vectors": vectors} if vectors else {})}
        return replace(self, source=merged)

    def action(self) -> BulkAction:
        """Refused with 409 when the log has a later change of the item."""
        written = {} if self.source is None else {"document": kept_source(self.source)}
        now = datetime.now(UTC).isoformat()
        body = {"item": self.item, "at": now, "turn": self.turn, **written}
        order = {"version": self.turn << SEQ_NO_BITS | self.seq_no, "version_type": "external_gte"}
        return BulkAction("index", self.item, body, order)


class ChangeLog:
    """Positions are the sequence numbers of the log's one shard."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self.cluster = cluster
        self.index = index

    def read_position(self) -> int:
        """Where the log stands now: the log is made if there is none."""
        status, reply = self.cluster.request("PUT", f"/{self.index}", build_changes_index())
        if status >= 300 and "resource_already_exists" not in str(reply):
            self.cluster.check_response(status, reply, f"making {self.index}")
        return read_checkpoint(self.cluster, self.index)[self.index]

    def append(self, changes: Sequence[Change]) -> None:
        """Durable when it returns. The log keeps a later change of the same item if it has one."""
        notes = [change.action() for change in changes]
        for note, verdict in zip(notes, BulkWriter(self.cluster, self.index).write(notes), strict=True):
            if not verdict.succeeded and verdict.status != 409:
                raise BadRequest(f"the change of {note.document_id} could not be noted: {verdict.reason}")

    def scan_since(self, position: int) -> Iterator[list[Change]]:
        """The last change of each item that changed after a position; turn 0 if an earlier build noted it.

        An earlier build noted no source: the serving index tells whether and how the item is there.
        """
        self.cluster.refresh(self.index)
        body = {"query": {"range": {"_seq_no": {"gt": position}}}}
        for hits in scan_pages(self.cluster, self.index, body, ["item"]):
            sources = [hit["_source"] for hit in hits]
            yield [Change(each["item"], each.get("document"), each.get("turn", 0)) for each in sources]

    def last_turn(self) -> int:
        """The latest turn in which a change was noted; 0 when there is none."""
        turns = (change.turn for changes in self.scan_since(-1) for change in changes)
        return max(turns, default=0)

    def prune(self, position: int) -> None:
        """Removes the changes up to a position. One that is noted again meanwhile stays."""
        body = {
            "query": {"range": {"_seq_no": {"lte": position}}},
            "_source": False,
            "seq_no_primary_term": True,
        }
        self.cluster.refresh(self.index)
        for hits in scan_pages(self.cluster, self.index, body, ["item"]):
            BulkWriter(self.cluster, self.index).write([_removal(hit) for hit in hits])


def _removal(hit: Mapping[str, Any]) -> BulkAction:
    """Of the change as it was read: a delete by query would do the same, where a server has that module."""
    unchanged = {"if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}
    return BulkAction("delete", hit["_id"], params=unchanged)

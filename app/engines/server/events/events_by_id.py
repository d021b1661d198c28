"""Events of a data stream by their ids: which are stored, their removal, and the mark that says so.

The mark is in the mappings; a worker that has counted events reads it.

Documents are deleted from their backing indices by bulk requests: nodes without the reindex module have no
`_delete_by_query`.
"""

import uuid
from collections.abc import Iterator, Sequence

from reelrank.app.engines.server.transport.bulk import BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import ADMIN_TIMEOUT_S, Cluster, Reply
from reelrank.index_mappings.errors import NotFound

KNOWN_PAGE = 10_000
"""Most hits of one response: index.max_result_window of every server."""
PAGE = 5000
MARK_FIELD = "reelrank_withdrawal"


def find_known_ids(cluster: Cluster, stream: str, ids: Sequence[str]) -> set[str]:
    """Returns the ids that any backing index has: a server rejects duplicates in the newest one only."""
    known = set[str]()
    for start in range(0, len(ids), KNOWN_PAGE):
        batch = list(ids[start : start + KNOWN_PAGE])
        body = {
            "query": {"terms": {"id": batch}},
            "size": len(batch),
            "_source": False,
            "docvalue_fields": ["id"],
        }
        try:
            hits = cluster.search(stream, body, ADMIN_TIMEOUT_S)
        except NotFound:
            return set()
        known |= {hit["fields"]["id"][0] for hit in hits}
    return known


def withdraw_events(cluster: Cluster, stream: str, ids: Sequence[str]) -> int:
    """Deletes the events with these ids, and returns how many ids had one, also if it is stored twice."""
    withdrawn = set[str]()
    try:
        for hits in _find_events(cluster, stream, ids):
            actions = [BulkAction("delete", hit["_id"], params={"_index": hit["_index"]}) for hit in hits]
            BulkWriter(cluster, stream, "&refresh=true").write(actions)
            withdrawn.update(hit["_id"] for hit in hits)
    except NotFound:  # there is no event yet
        return 0
    return len(withdrawn)


def _find_events(cluster: Cluster, stream: str, ids: Sequence[str]) -> Iterator[list[Reply]]:
    """Yields the stored documents of events, with their backing indices."""
    for start in range(0, len(ids), PAGE):
        body = {
            "query": {"terms": {"id": list(ids[start : start + PAGE])}},
            "size": 2 * PAGE,  # an event may be in two backing indices
            "_source": False,
        }
        if hits := cluster.search(stream, body, ADMIN_TIMEOUT_S):
            yield hits


def write_withdrawal_mark(cluster: Cluster, stream: str) -> None:
    """Writes a new mark into the mappings of all backing indices."""
    body = {"_meta": {MARK_FIELD: uuid.uuid4().hex}}
    cluster.request_or_raise("PUT", f"/{stream}/_mapping", body)


def read_withdrawal_mark(cluster: Cluster, stream: str) -> str:
    """Returns the marks of all backing indices together; a new one, which has none, changes nothing."""
    status, reply = cluster.request("GET", f"/{stream}/_mapping")
    if status == 404:
        return ""
    mappings = cluster.check_response(status, reply, "reading the mappings of events").values()
    marks = {index["mappings"].get("_meta", {}).get(MARK_FIELD, "") for index in mappings}
    return " ".join(sorted(marks - {""}))

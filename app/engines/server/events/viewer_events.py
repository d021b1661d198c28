"""All documents of one viewer in a data stream: their removal, and what removal leaves in the segments."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from reelrank.app.engines.server.transport.bulk import BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import ADMIN_TIMEOUT_S, Cluster, Reply
from reelrank.app.engines.server.transport.paging import scan_pages
from reelrank.index_mappings.errors import NotFound, Timeout, Unavailable

PAGE = 5000
ALLOWED_DELETES = "index.merge.policy.expunge_deletes_allowed"
"""Percent of deleted documents up to which a segment is left alone when deleted ones are expunged."""


def build_newest_query(user: str, limit: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Returns the search for the newest events of a viewer."""
    return {
        "query": {"bool": {"filter": [{"term": {"user": user}}, {"terms": {"kind": list(kinds)}}]}},
        "sort": [{"at_ms": "desc"}, {"id": "desc"}],
        "size": limit,
        "track_total_hits": False,
    }


def build_watched_query(user: str, size: int) -> dict[str, Any]:
    """Returns the search for the items that a viewer watched.

    The execution hint `map` collects them by hash: global ordinals of `item` would be rebuilt after each
    refresh.
    """
    return {
        "query": {"bool": {"filter": [{"term": {"user": user}}, {"term": {"kind": "watch"}}]}},
        "size": 0,
        "track_total_hits": False,
        "aggs": {"items": {"terms": {"field": "item", "size": size, "execution_hint": "map"}}},
    }


def scan_viewer(cluster: Cluster, stream: str, user: str, size: int) -> Iterator[list[Reply]]:
    """Yields the events of a viewer page by page; none when there is no stream."""
    body = {"query": {"term": {"user": user}}}
    try:
        yield from scan_pages(cluster, stream, body, ["at_ms", "id"], size)
    except NotFound:
        return


def delete_of_viewer(cluster: Cluster, stream: str, users: tuple[str, ...]) -> int:
    """Deletes all documents whose field `user` is one of these, and returns how many there were."""
    body: Mapping[str, Any] = {"query": {"terms": {"user": list(users)}}, "size": PAGE, "_source": False}
    deleted = 0
    try:
        cluster.refresh(stream)
        while hits := cluster.search(stream, body, ADMIN_TIMEOUT_S):
            actions = [BulkAction("delete", hit["_id"], params={"_index": hit["_index"]}) for hit in hits]
            results = BulkWriter(cluster, stream, "&refresh=true").write(actions)
            succeeded = sum(result.succeeded for result in results)
            if not succeeded:
                raise Unavailable(f"{stream} does not delete documents: {results[0].reason}")
            deleted += succeeded
    except NotFound:
        return deleted
    return deleted


def expunge_deleted(cluster: Cluster, stream: str) -> None:
    """Merges the segments that hold deleted documents, and empties the translog.

    A server keeps a deleted document for replicas that may still need it, at most for
    `index.soft_deletes.retention_lease.period` (12 hours), and removes it in a later merge.
    """
    status, _ = cluster.request("PUT", f"/{stream}/_settings", {ALLOWED_DELETES: 0})
    if status == 404:
        return
    try:
        with suppress(Timeout):  # a merge of many events goes on without its client
            path = f"/{stream}/_forcemerge"
            cluster.request_or_raise("POST", path, only_expunge_deletes="true", flush="true")
    finally:
        cluster.request_or_raise("PUT", f"/{stream}/_settings", {ALLOWED_DELETES: None})

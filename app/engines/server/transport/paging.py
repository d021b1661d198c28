"""Reads a whole index page by page with `search_after`, which keeps no context open on the server."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reelrank.app.engines.server.transport.cluster import ADMIN_TIMEOUT_S, Cluster, Reply

PAGE_SIZE = 1000


def scan_pages(
    cluster: Cluster, index: str, body: Mapping[str, Any], sort: Sequence[str], size: int = PAGE_SIZE
) -> Iterator[list[Reply]]:
    """Yields pages of hits in the order of `sort`, which must be unique per document."""
    page = {"size": size, "sort": list(sort), "track_total_hits": False, **body}
    while hits := cluster.search(index, page, ADMIN_TIMEOUT_S):
        yield hits
        if len(hits) < size:
            return
        page["search_after"] = hits[-1]["sort"]


def read_checkpoint(cluster: Cluster, index: str) -> dict[str, int]:
    """Returns, per index, the sequence number up to which all writes of its only shard are complete, or -1.

    A later write may be visible before an earlier one, so nothing above this number is reliable.
    """
    reply = cluster.request_or_raise("GET", f"/{index}/_stats", level="shards")
    reached = dict[str, int]()
    for name, stats in reply["indices"].items():
        copies = (copy for shard in stats["shards"].values() for copy in shard)
        reached[name] = next(c["seq_no"]["local_checkpoint"] for c in copies if c["routing"]["primary"])
    return reached

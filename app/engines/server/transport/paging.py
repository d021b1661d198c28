"""Reading all of an index page by page, in an order that no change can upset: no context stays open."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reelrank.app.engines.server.transport.cluster import ADMIN_TIMEOUT_S, Cluster, Reply

PAGE_SIZE = 1000


def scan_pages(
    cluster: Cluster, index: str, body: Mapping[str, Any], sort: Sequence[str], size: int = PAGE_SIZE
) -> Iterator[list[Reply]]:
    """Hits in the order of `sort`, which must tell any two documents apart."""
    asked = {"size": size, "sort": list(sort), "track_total_hits": False, **body}
    while hits := cluster.search(index, asked, ADMIN_TIMEOUT_S):
        yield hits
        if len(hits) < size:
            return
        asked["search_after"] = hits[-1]["sort"]


def read_checkpoint(cluster: Cluster, index: str) -> dict[str, int]:
    """By index, the number up to which every write of its one shard is done; -1 for none.

    A later write may be visible before an earlier one is: nothing above this may be relied on.
    """
    reply = cluster.request_or_raise("GET", f"/{index}/_stats", level="shards")
    reached = dict[str, int]()
    for name, stats in reply["indices"].items():
        copies = (copy for shard in stats["shards"].values() for copy in shard)
        reached[name] = next(c["seq_no"]["local_checkpoint"] for c in copies if c["routing"]["primary"])
    return reached

"""The release store of a cluster: documents of the index <prefix>releases.

The pointer is one of them, replaced only at the sequence number it was read at. Aliases follow it.
"""

import time
from typing import Any

import orjson
from pydantic import BaseModel

from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.index_mappings.errors import Conflict
from reelrank.ranking.registry.releases import (
    Pointer,
    Release,
    check_counter,
    decode_pointer,
    decode_release,
    sort_releases,
)

POINTER_ID = "pointer"
POINTER_TIMEOUT_S = 2.0
"""Workers read the pointer again and again; one that waits longer would keep its threads from other work."""
MAX_RELEASES = 1000
"""Records listed; those of dropped index versions are removed, so a few is usual."""
INDEX_BODY = {
    "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}},
    "mappings": {"dynamic": False, "properties": {}},
}


class ServerReleases:
    """Opens nothing until used. Records are stored as they are; nothing of them is indexed."""

    def __init__(self, cluster: Cluster, index: str) -> None:
        self.cluster = cluster
        self.index = index

    def read_pointer(self) -> Pointer | None:
        hit = self._fetch_pointer()
        return None if hit is None else self._decode_pointer(hit)

    def replace_pointer(self, pointer: Pointer, expected: Pointer | None) -> None:
        hit = self._fetch_pointer()
        check_counter(None if hit is None else self._decode_pointer(hit), expected)
        if hit is None:
            self._ensure_index()
            condition = {"op_type": "create"}
        else:
            condition = {"if_seq_no": str(hit["_seq_no"]), "if_primary_term": str(hit["_primary_term"])}
        self._put(POINTER_ID, pointer, condition)

    def list_releases(self) -> list[Release]:
        status, reply = self.cluster.request("GET", f"/{self.index}/_search", size=str(MAX_RELEASES))
        if status == 404:
            return []
        self.cluster.check_response(status, reply, "listing releases")
        return sort_releases(
            decode_release(orjson.dumps(hit["_source"]), f"{self.index}/{hit['_id']}")
            for hit in reply["hits"]["hits"]
            if hit["_id"] != POINTER_ID
        )

    def add(self, release: Release) -> None:
        self._ensure_index()
        self._put(release.id, release, {})

    def remove(self, release_id: str) -> None:
        status, reply = self.cluster.request("DELETE", f"/{self.index}/_doc/{release_id}", refresh="true")
        if status != 404:
            self.cluster.check_response(status, reply, f"removing release {release_id}")

    def _fetch_pointer(self) -> dict[str, Any] | None:
        """Returns the hit with its sequence number; a get by id sees every write at once."""
        path = f"/{self.index}/_doc/{POINTER_ID}"
        deadline = time.monotonic() + POINTER_TIMEOUT_S
        status, reply = self.cluster.request_idempotent("GET", path, None, deadline)
        if status == 404:
            return None
        return dict(self.cluster.check_response(status, reply, "reading the release pointer"))

    def _decode_pointer(self, hit: dict[str, Any]) -> Pointer:
        return decode_pointer(orjson.dumps(hit["_source"]), f"{self.index}/{POINTER_ID}")

    def _ensure_index(self) -> None:
        """Creates the index unless it exists."""
        try:
            self.cluster.request_or_raise("PUT", f"/{self.index}", INDEX_BODY)
        except Conflict:
            return

    def _put(self, document_id: str, record: BaseModel, condition: dict[str, str]) -> None:
        """Raises Conflict when the condition does not hold any more."""
        body = record.model_dump(mode="json")
        path = f"/{self.index}/_doc/{document_id}"
        self.cluster.request_or_raise("PUT", path, body, refresh="true", **condition)

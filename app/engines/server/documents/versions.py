"""Index versions: each is an index of its own; an alias names the one that serves."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.index_mappings import text
from reelrank.index_mappings.engine import IndexVersion
from reelrank.index_mappings.errors import (
    BadRequest,
    Conflict,
    EngineError,
    IndexVersionNotFound,
    Unavailable,
)

LOADING_SETTINGS = {"refresh_interval": "-1", "number_of_replicas": 0, "auto_expand_replicas": False}
PREPARED = "text_preparation"
"""Version of the text preparation of an index; indices of build 05eedc69 have none."""
CHANGES_FROM = "changes_from"
BUILT_FROM = "built_from"
"""Position of the change log when the version was created. CHANGES_FROM starts there and moves on."""
"""Position in the change log up to which a version has every change; the serving version has all of them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Names and sizes of indices. `prefix` begins the name of every index, alias and data stream of reelrank.

    replicas: a number, or a range such as 0-1 that follows the number of nodes.
    """

    prefix: str = "reelrank-"
    shards: int = 1
    replicas: str = "0-1"

    @property
    def alias(self) -> str:
        return f"{self.prefix}items"

    def index_name(self, version: str) -> str:
        """Returns the index of a version, in lower case as servers require; `_meta` keeps the exact name."""
        return f"{self.prefix}{version}".lower()

    def epoch_alias(self, epoch: int) -> str:
        """Returns the alias that live changes are written to; it is removed at the next promotion."""
        return f"{self.prefix}live-{epoch}"

    def build_serving_settings(self) -> dict[str, Any]:
        ranged = "-" in self.replicas
        copies = (
            {"auto_expand_replicas": self.replicas} if ranged else {"number_of_replicas": int(self.replicas)}
        )
        return {"refresh_interval": "1s", **copies}  # fmt: skip


class IndexVersions:
    """Creates, lists, promotes and drops index versions."""

    def __init__(self, cluster: Cluster, layout: Layout, body: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.layout = layout
        self.body = body
        self._with_words: dict[str, bool] = {}

    def create(self, version: str, changes_from: int) -> None:
        """Creates an index without refreshes or replicas until it serves. Raises Conflict if it exists."""
        if not version.startswith("items-"):
            raise BadRequest(
                f"the name of index version {version!r} must begin with items-",
                code="invalid_index_version_name",
            )
        index = {**self.body["settings"]["index"], "number_of_shards": self.layout.shards, **LOADING_SETTINGS}
        meta = {
            "version": version,
            "made_at": self.cluster.clock.now().isoformat(),
            CHANGES_FROM: changes_from,
            BUILT_FROM: changes_from,
            PREPARED: text.PREPARATION,
        }
        body = {
            "settings": {"index": index},
            "mappings": {**self.body["mappings"], "_meta": {"reelrank": meta}},
        }
        self.cluster.request_or_raise("PUT", f"/{self.layout.index_name(version)}", body)

    def list_versions(self) -> list[IndexVersion]:
        """Returns all versions with their document counts, newest first."""
        metas, serving = self.list_metadata(), self.serving_version()
        if not metas:
            return []
        with suppress(Unavailable):  # one version lost a shard; the others can still be counted
            self.cluster.refresh(f"{self.layout.prefix}items-*")
        stats = self.cluster.request_or_raise("GET", f"/{self.layout.prefix}items-*/_stats/docs")["indices"]
        return [
            IndexVersion(
                name,
                datetime.fromisoformat(meta["made_at"]),
                stats[self.layout.index_name(name)]["primaries"]["docs"]["count"],
                name == serving,
            )
            for name, meta in sorted(metas.items(), key=lambda entry: entry[1]["made_at"], reverse=True)
            if self.layout.index_name(name) in stats
        ]

    def list_metadata(self) -> dict[str, dict[str, Any]]:
        """Returns reelrank's `_meta` entry of each version. Indices without one are skipped."""
        status, reply = self.cluster.request(
            "GET", f"/{self.layout.prefix}items-*/_mapping", filter_path="*.mappings._meta"
        )
        if status == 404:
            return {}
        mappings = self.cluster.check_response(status, reply, "listing index versions")
        metas = [index["mappings"]["_meta"].get("reelrank") for index in mappings.values()]
        return {meta["version"]: meta for meta in metas if meta is not None}

    def read_metadata(self, version: str) -> dict[str, Any]:
        """Returns reelrank's `_meta` entry of a version. Raises NotFound."""
        meta = self.list_metadata().get(version)
        if meta is None:
            raise self._build_not_found(version)
        return meta

    def require(self, version: str) -> None:
        """Checks that a version exists; cheaper than its metadata. Raises NotFound."""
        index = self.layout.index_name(version)
        status, reply = self.cluster.request("GET", f"/{index}/_settings/index.uuid")
        if status == 404:
            raise self._build_not_found(version)
        self.cluster.check_response(status, reply, f"reading index version {version}")

    def _build_not_found(self, version: str) -> IndexVersionNotFound:
        return IndexVersionNotFound(
            f"{self.cluster.name} has no index version {version}; list them: reelrank index list"
        )

    def has_words(self, index: str) -> bool:
        """Returns whether the text of an index was prepared; True without an answer."""
        if index in self._with_words:
            return self._with_words[index]
        status, reply = 0, dict[str, Any]()
        with suppress(EngineError):
            status, reply = self.cluster.request("GET", f"/{index}/_mapping", filter_path="*.mappings._meta")
        if status != 200:
            return True
        self._with_words[index] = bool(reply) and all(  # an index that is not ours has no metadata
            PREPARED in mapping["mappings"]["_meta"].get("reelrank", {}) for mapping in reply.values()
        )
        return self._with_words[index]

    def record_position(self, version: str, position: int) -> None:
        """Records that a version has every change up to a position."""
        meta = {**self.read_metadata(version), CHANGES_FROM: position}
        self.cluster.request_or_raise(
            "PUT", f"/{self.layout.index_name(version)}/_mapping", {"_meta": {"reelrank": meta}}
        )

    def serving_version(self) -> str | None:
        status, reply = self.cluster.request(
            "GET", f"/{self.layout.alias}/_mapping", filter_path="*.mappings._meta"
        )
        if status == 404:
            return None
        mappings = self.cluster.check_response(status, reply, "reading the serving version").values()
        metas = [index["mappings"]["_meta"].get("reelrank") for index in mappings]
        if len(metas) != 1 or metas[0] is None:
            raise Unavailable(
                f"the alias {self.layout.alias} on {self.cluster.name} points to an index that reelrank did "
                "not create; remove that alias, or set another REELRANK_ENGINE_PREFIX",
                code="foreign_alias",
            )
        return str(metas[0]["version"])

    def prepare_serving(self, version: str) -> None:
        """Turns on refreshes and replicas of a version that will serve, and saves it.

        A server that is killed would index all items again when it starts.
        """
        index = self.layout.index_name(version)
        self.cluster.request_or_raise(
            "PUT", f"/{index}/_settings", {"index": self.layout.build_serving_settings()}
        )
        self.cluster.refresh(index)
        self.cluster.request_or_raise("POST", f"/{index}/_flush")

    def drop(self, version: str) -> None:
        self.read_metadata(version)
        if version == self.serving_version():
            raise Conflict(
                f"index version {version} is serving; promote another version first",
                code="index_version_serving",
            )
        self.cluster.request_or_raise("DELETE", f"/{self.layout.index_name(version)}")

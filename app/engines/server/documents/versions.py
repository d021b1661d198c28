"""Index versions as indices, and the serving one as an alias: made, filled, promoted, dropped."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.index_mappings.engine import IndexVersion
from reelrank.index_mappings.errors import BadRequest, Conflict, IndexVersionNotFound, NotFound, Unavailable

LOADING_SETTINGS = {"refresh_interval": "-1", "number_of_replicas": 0, "auto_expand_replicas": False}
CHANGES_FROM = "changes_from"
"""The position in the change log up to which a version has every change; the serving one has all."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Names and sizes. `prefix` stands before every index, alias and data stream of ours.

    replicas: a number, or a range such as 0-1 that follows the number of nodes.
    """

    prefix: str = "reelrank-"
    shards: int = 1
    replicas: str = "0-1"

    @property
    def alias(self) -> str:
        return f"{self.prefix}items"

    def index_name(self, version: str) -> str:
        """Servers refuse capitals in the name of an index; its `_meta` keeps the version's own name."""
        return f"{self.prefix}{version}".lower()

    def epoch_alias(self, epoch: int) -> str:
        """Live changes go through it: it is of the version that serves, until the next promotion."""
        return f"{self.prefix}live-{epoch}"

    def build_serving_settings(self) -> dict[str, Any]:
        ranged = "-" in self.replicas
        copies = (
            {"auto_expand_replicas": self.replicas} if ranged else {"number_of_replicas": int(self.replicas)}
        )
        return {"refresh_interval": "1s", **copies}  # fmt: skip


class IndexVersions:
    """One index for each version, named by the prefix and the version."""

    def __init__(self, cluster: Cluster, layout: Layout, body: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.layout = layout
        self.body = body

    def create(self, version: str, changes_from: int) -> None:
        """Raises Conflict when it exists. Nothing is refreshed or copied to replicas until it serves."""
        if not version.startswith("items-"):
            raise BadRequest(f"index version {version!r} must begin with items-")
        index = {**self.body["settings"]["index"], "number_of_shards": self.layout.shards, **LOADING_SETTINGS}
        meta = {"version": version, "made_at": datetime.now(UTC).isoformat(), CHANGES_FROM: changes_from}
        body = {
            "settings": {"index": index},
            "mappings": {**self.body["mappings"], "_meta": {"reelrank": meta}},
        }
        self.cluster.request_or_raise("PUT", f"/{self.layout.index_name(version)}", body)

    def list_versions(self) -> list[IndexVersion]:
        """Newest first, with the documents that each holds."""
        metas, serving = self.list_metadata(), self.serving_version()
        if not metas:
            return []
        with suppress(Unavailable):  # a shard of one of them is lost: the others count all the same
            self.cluster.refresh(f"{self.layout.prefix}items-*")
        stats = self.cluster.request_or_raise("GET", f"/{self.layout.prefix}items-*/_stats/docs")["indices"]
        return [
            IndexVersion(
                name,
                datetime.fromisoformat(meta["made_at"]),
                stats[self.layout.index_name(name)]["primaries"]["docs"]["count"],
                name == serving,
            )
            for name, meta in sorted(metas.items(), key=lambda each: each[1]["made_at"], reverse=True)
            if self.layout.index_name(name) in stats
        ]

    def list_metadata(self) -> dict[str, dict[str, Any]]:
        """What was noted of each version when it was made. Indices that are not ours are left out."""
        status, reply = self.cluster.request(
            "GET", f"/{self.layout.prefix}items-*/_mapping", filter_path="*.mappings._meta"
        )
        if status == 404:
            return {}
        mappings = self.cluster.check_response(status, reply, "listing index versions")
        noted = [each["mappings"]["_meta"].get("reelrank") for each in mappings.values()]
        return {meta["version"]: meta for meta in noted if meta is not None}

    def read_metadata(self, version: str) -> dict[str, Any]:
        """Raises NotFound."""
        meta = self.list_metadata().get(version)
        if meta is None:
            raise IndexVersionNotFound(f"there is no index version {version} on {self.cluster.name}")
        return meta

    def reach(self, version: str, position: int) -> None:
        """Notes that a version has every change up to a position."""
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
        mappings = self.cluster.check_response(status, reply, "asking what serves").values()
        noted = [each["mappings"]["_meta"].get("reelrank") for each in mappings]
        if len(noted) != 1 or noted[0] is None:
            raise Unavailable(
                f"{self.layout.alias} on {self.cluster.name} stands for an index that reelrank did not make; "
                "remove that alias, or set another REELRANK_ENGINE_PREFIX"
            )
        return str(noted[0]["version"])

    def prepare_serving(self, version: str) -> None:
        """Settings of a version that serves: it is refreshed and copied from now on."""
        index = self.layout.index_name(version)
        self.cluster.request_or_raise(
            "PUT", f"/{index}/_settings", {"index": self.layout.build_serving_settings()}
        )
        self.cluster.refresh(index)

    def block_writes(self, version: str) -> None:
        """When it returns, every write that was under way is done, and no other is let in."""
        self.cluster.request_or_raise("PUT", f"/{self.layout.index_name(version)}/_block/write")

    def allow_writes(self, version: str) -> None:
        index = self.layout.index_name(version)
        self.cluster.request_or_raise("PUT", f"/{index}/_settings", {"index": {"blocks.write": None}})

    def read_epoch(self) -> int | None:
        """How many promotions there have been; None: nothing serves; 0: an earlier build promoted it."""
        status, reply = self.cluster.request("GET", f"/{self.layout.alias}/_alias")
        if status == 404:
            return None
        (index,) = self.cluster.check_response(status, reply, "asking whose turn it is").values()
        start = self.layout.epoch_alias(0)[:-1]
        turns = (alias.removeprefix(start) for alias in index["aliases"] if alias.startswith(start))
        return next((int(turn) for turn in turns if turn.isdigit()), 0)

    def swap_alias(self, old: str | None, new: str, last_turn: int = 0) -> None:
        """Moves the alias, and with it the turn, in one step. The version that serves keeps its turn.

        last_turn: what an older turn may have been, where nothing serves that has one.
        Raises Conflict when another promotion was quicker.
        """
        turn = self.read_epoch() or 0
        begins = turn if turn and old == new else max(turn, last_turn) + 1
        actions = [
            _build_add_action(self.layout.index_name(new), name)
            for name in (self.layout.alias, self.layout.epoch_alias(begins))
        ]
        if old is not None and old != new:
            ended = [self.layout.alias, *([self.layout.epoch_alias(turn)] if turn else [])]
            actions += [_build_remove_action(self.layout.index_name(old), name) for name in ended]
        try:
            self.cluster.request_or_raise("POST", "/_aliases", {"actions": actions})
        except NotFound as lost:
            raise Conflict(
                f"{old} has not been serving any more: another promotion was quicker; promote again"
            ) from lost

    def drop(self, version: str) -> None:
        self.read_metadata(version)
        if version == self.serving_version():
            raise Conflict(f"index version {version} is serving; promote another one first")
        self.cluster.request_or_raise("DELETE", f"/{self.layout.index_name(version)}")


def _build_add_action(index: str, alias: str) -> dict[str, Any]:
    return {"add": {"index": index, "alias": alias}}


def _build_remove_action(index: str, alias: str) -> dict[str, Any]:
    return {"remove": {"index": index, "alias": alias, "must_exist": True}}

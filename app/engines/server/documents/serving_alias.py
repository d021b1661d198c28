"""The alias of the serving version: its promotion epoch, the write block of a promotion, and the swap.

A promotion that is interrupted may leave a write block. It marks the index before it blocks it, so that its
block can be told from one of an administrator. Ending a block starts a new epoch: if the promotion runs after
all, its swap fails, because it removes the alias of the epoch that it began in.
"""

from dataclasses import dataclass
from typing import Any

from reelrank.app.engines.server.documents.versions import Layout
from reelrank.app.engines.server.transport.cluster import Cluster
from reelrank.index_mappings.errors import Conflict, NotFound

PROMOTED_TO = "promoted_to"
"""Entry of `_meta` with the version whose promotion blocks writes to this one."""


@dataclass(frozen=True, slots=True)
class WriteState:
    """Whether the serving version takes live changes.

    epoch: 0 if an earlier build promoted the version. promoted_to: the version whose promotion blocked
    writes; empty if none did.
    """

    epoch: int
    is_blocked: bool = False
    promoted_to: str = ""


class ServingAlias:
    """Reads and moves the alias of the serving version."""

    def __init__(self, cluster: Cluster, layout: Layout) -> None:
        self.cluster = cluster
        self.layout = layout

    def read_state(self) -> WriteState | None:
        """Returns the state of the serving version; None if nothing serves."""
        shown = "*.aliases,*.settings.index.blocks.write,*.mappings._meta"
        status, reply = self.cluster.request("GET", f"/{self.layout.alias}", filter_path=shown)
        if status == 404:
            return None
        (index,) = self.cluster.check_response(status, reply, "reading the promotion epoch").values()
        start = self.layout.epoch_alias(0)[:-1]
        epochs = (alias.removeprefix(start) for alias in index["aliases"] if alias.startswith(start))
        meta = index.get("mappings", {}).get("_meta", {}).get("reelrank", {})
        return WriteState(
            next((int(epoch) for epoch in epochs if epoch.isdigit()), 0),
            _read_block(index),
            str(meta.get(PROMOTED_TO, "")),
        )

    def block_writes(self, version: str, promoted_to: str) -> None:
        """Blocks writes. When it returns, writes in progress are complete and later ones are refused."""
        index = self.layout.index_name(version)
        self._write_mark(index, promoted_to)
        self.cluster.request_or_raise("PUT", f"/{index}/_block/write")

    def allow_writes(self, version: str) -> None:
        index = self.layout.index_name(version)
        self.cluster.request_or_raise("PUT", f"/{index}/_settings", {"index": {"blocks.write": None}})
        self._write_mark(index, "")

    def swap(self, old: str | None, new: str, state: WriteState | None, last_epoch: int = 0) -> None:
        """Moves the alias and starts a new epoch in one step.

        Promoting the serving version keeps its epoch unless its writes are blocked. state: as it was when the
        promotion began; None if nothing served. last_epoch: the latest epoch in use if that state has none.
        Raises Conflict when another promotion finished first.
        """
        epoch, is_blocked = (state.epoch, state.is_blocked) if state else (0, False)
        is_kept = bool(epoch) and old == new and not is_blocked
        new_epoch = epoch if is_kept else max(epoch, last_epoch) + 1
        index = self.layout.index_name(new)
        actions = [
            _build_add_action(index, name) for name in (self.layout.alias, self.layout.epoch_alias(new_epoch))
        ]
        if old is not None:
            ended = [self.layout.alias] if old != new else []
            ended += [self.layout.epoch_alias(epoch)] if epoch and not is_kept else []
            actions += [_build_remove_action(self.layout.index_name(old), name) for name in ended]
        try:
            self.cluster.request_or_raise("POST", "/_aliases", {"actions": actions})
        except NotFound as error:
            raise Conflict(
                f"{old} no longer serves, because another promotion finished first; promote {new} again",
                code="promotion_overtaken",
            ) from error

    def _write_mark(self, index: str, promoted_to: str) -> None:
        """Writes or removes the mark; leaves an index without it, or one that is not ours, as it is."""
        path = f"/{index}/_mapping"
        reply = self.cluster.request_or_raise("GET", path, filter_path="*.mappings._meta")
        meta = next(iter(reply.values()))["mappings"]["_meta"]["reelrank"] if reply else None
        if meta is None or meta.get(PROMOTED_TO, "") == promoted_to:
            return
        meta = {name: value for name, value in meta.items() if name != PROMOTED_TO}
        meta |= {PROMOTED_TO: promoted_to} if promoted_to else {}
        self.cluster.request_or_raise("PUT", path, {"_meta": {"reelrank": meta}})


def _read_block(index: dict[str, Any]) -> bool:
    blocks = index.get("settings", {}).get("index", {}).get("blocks", {})
    return str(blocks.get("write")) == "true"


def _build_add_action(index: str, alias: str) -> dict[str, Any]:
    return {"add": {"index": index, "alias": alias}}


def _build_remove_action(index: str, alias: str) -> dict[str, Any]:
    return {"remove": {"index": index, "alias": alias, "must_exist": True}}

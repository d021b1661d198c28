"""Live changes: into the serving version at once, and into a new one before it serves."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.engines.server.bulk import Action, Bulk, Verdict
from app.engines.server.cluster import ADMIN_S, Cluster
from app.engines.server.documents import LEARNED_PROPERTIES, completed, document_of, relearned, source_of
from index_mappings.errors import Conflict, Unavailable
from index_mappings.item import Document

FOUND_AT_ONCE = "&refresh=wait_for"
BLOCK_WAIT_S = 15.0
"""A promotion holds the old version for the time of its last changes; a writer waits so long for it."""
BLOCK_PAUSE_S = 0.1
MEETINGS = 20
"""How often one document may meet another writer's change before its own is given up."""


class LiveDocuments:
    """Reads and writes by id in one target: an alias, or an index."""

    def __init__(self, cluster: Cluster, target: str) -> None:
        self.cluster = cluster
        self.target = target

    def sources(
        self, ids: Sequence[str], until: float, fields: Sequence[str] = ()
    ) -> dict[str, dict[str, Any]]:
        """What is there now, also what no search sees yet: id to hit. Raises Unavailable without a target."""
        body: dict[str, Any] = {"docs": [{"_id": name} for name in ids]}
        chosen = f"?_source_includes={','.join(fields)}" if fields else ""
        status, reply = self.cluster.ask("POST", f"/{self.target}/_mget{chosen}", body, until)
        docs = self.cluster.accepted(status, reply, f"reading {len(ids)} documents")["docs"]
        lost = next((doc["error"] for doc in docs if "error" in doc), None)
        if lost is not None and lost.get("type") == "index_not_found_exception":
            raise Unavailable(nothing_serves(self.target, self.cluster.name))
        if lost is not None:
            raise Unavailable(f"{self.cluster.name} could not read {self.target}: {lost.get('reason')}")
        return {doc["_id"]: doc for doc in docs if doc.get("found")}

    def upsert(self, documents: Sequence[Document]) -> list[Verdict]:
        """Each completed by what is known of it. Written again when somebody else wrote in between."""
        verdicts = dict[int, Verdict]()
        waiting = list(range(len(documents)))
        for _ in range(MEETINGS):
            for place, verdict in zip(waiting, self._completed([documents[p] for p in waiting]), strict=True):
                verdicts[place] = verdict
            waiting = [place for place in waiting if verdicts[place].status == 409]
            if not waiting:
                break
        return [verdicts[place] for place in range(len(documents))]

    def delete(self, ids: Sequence[str]) -> int:
        verdicts = self.written([Action("delete", name) for name in ids])
        return sum(verdict.done for verdict in verdicts)

    def written(self, actions: Sequence[Action]) -> list[Verdict]:
        """Waits while a promotion holds the index. Raises Conflict when that takes too long."""
        until = time.monotonic() + BLOCK_WAIT_S
        verdicts = self._bulk(actions)
        while blocked := [place for place, verdict in enumerate(verdicts) if verdict.status == 403]:
            if time.monotonic() > until:
                raise Conflict(
                    f"writes to {self.target} have been blocked for {BLOCK_WAIT_S:.0f} s; if no promotion is "
                    "at work, one was stopped half-way: run reelrank index promote again"
                )
            time.sleep(BLOCK_PAUSE_S)
            again = self._bulk([actions[place] for place in blocked])
            for place, verdict in zip(blocked, again, strict=True):
                verdicts[place] = verdict
        return verdicts

    def _completed(self, documents: Sequence[Document]) -> list[Verdict]:
        known = self.sources([d.item.id for d in documents], time.monotonic() + ADMIN_S)
        return self.written([_upsert(document, known.get(document.item.id)) for document in documents])

    def _bulk(self, actions: Sequence[Action]) -> list[Verdict]:
        return Bulk(self.cluster, self.target, FOUND_AT_ONCE + "&require_alias=true").write(actions)


def carry_over(cluster: Cluster, old: str, new: str, batches: Iterable[list[str]]) -> None:
    """Brings items of the index `old`, as they are now, into `new`, which keeps what it has learned."""
    until, target = time.monotonic() + 10 * ADMIN_S, Bulk(cluster, new)
    for ids in batches:
        live = LiveDocuments(cluster, old).sources(ids, until)
        built = LiveDocuments(cluster, new).sources(ids, until, ("id", "title", *LEARNED_PROPERTIES))
        actions = [_carried(name, live.get(name), built.get(name)) for name in ids]
        for action, verdict in zip(actions, target.write(actions), strict=True):
            if not verdict.done and verdict.status != 404:
                raise Conflict(f"the live change of {action.id} does not fit {new}: {verdict.reason}")


def _carried(name: str, live: Mapping[str, Any] | None, built: Mapping[str, Any] | None) -> Action:
    if live is None:
        return Action("delete", name)
    known = None if built is None else document_of(built["_source"])
    return Action("index", name, source_of(relearned(document_of(live["_source"]), known)))


def _upsert(document: Document, known: Mapping[str, Any] | None) -> Action:
    """Refused by the server with 409 if what is known has changed since it was read."""
    if known is None:
        return Action("create", document.item.id, source_of(document))
    whole = completed(document, document_of(known["_source"]))
    unchanged = {"if_seq_no": known["_seq_no"], "if_primary_term": known["_primary_term"]}
    return Action("index", document.item.id, source_of(whole), unchanged)


def nothing_serves(alias: str, where: str) -> str:
    return f"no index version serves as {alias} on {where}; load items first"

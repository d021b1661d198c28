"""Live changes: into the serving version at once, and into a new one before it serves.

A change is made, then noted, then acknowledged if no promotion has ended its turn meanwhile; else it is
made again in the version that serves now. So what a promotion finds noted is made, and what it
does not find is made again by whoever waits for it. Nothing rests on a clock.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from app.engines.server.bulk import Action, Bulk, Verdict
from app.engines.server.changes import Change, Changes
from app.engines.server.cluster import ADMIN_S, Cluster
from app.engines.server.documents import LEARNED_PROPERTIES, completed, document_of, relearned, source_of
from app.engines.server.versions import Versions
from index_mappings.errors import Conflict, NotFound, Partial, Unavailable
from index_mappings.item import Document

FOUND_AT_ONCE = "&refresh=wait_for"
BLOCK_WAIT_S = 15.0
"""A promotion holds the old version for the time of its last changes; a writer waits so long for it."""
BLOCK_PAUSE_S = 0.1
MEETINGS = 20
"""How often one document may meet another writer's change before its own is given up."""
HELD, MISSING = "cluster_block_exception", "index_not_found_exception"

Attempt = Callable[[str, list[int]], list[tuple[Action, Verdict]]]
"""Makes the changes at these places in a target: what was done, and a verdict for each. Raises NotFound
without the target."""


class LiveDocuments:
    """Changes of the serving version, by id. Raises Conflict when a promotion holds it for too long."""

    def __init__(self, cluster: Cluster, versions: Versions, changes: Changes) -> None:
        self.cluster = cluster
        self.versions = versions
        self.changes = changes

    def upsert(self, documents: Sequence[Document]) -> list[Verdict]:
        """Each completed by what is known of it. Written again when somebody else wrote in between."""

        def attempt(target: str, places: list[int]) -> list[tuple[Action, Verdict]]:
            chosen = [documents[place] for place in places]
            known = sources(self.cluster, target, [d.item.id for d in chosen], time.monotonic() + ADMIN_S)
            return self._bulk(target, [_upsert(document, known.get(document.item.id)) for document in chosen])

        return self._acknowledged(len(documents), attempt)

    def delete(self, ids: Sequence[str]) -> int:
        """How many were there."""
        there = set[str]()

        def attempt(target: str, places: list[int]) -> list[tuple[Action, Verdict]]:
            made = self._bulk(target, [Action("delete", ids[place]) for place in places])
            there.update(action.id for action, verdict in made if verdict.done)
            return made

        self._acknowledged(len(ids), attempt)
        return len(there)

    def _acknowledged(self, count: int, attempt: Attempt) -> list[Verdict]:
        """Verdicts of changes that are noted, and were made in a turn that had not ended when they were."""
        verdicts = [Verdict(409)] * count
        waiting, turn, met, until = list(range(count)), self._turn(), 0, time.monotonic() + BLOCK_WAIT_S
        while waiting and met < MEETINGS:
            for place, verdict in zip(waiting, self._noted(waiting, turn, attempt), strict=True):
                verdicts[place] = verdict
            before, turn = turn, self._turn()
            if turn != before:
                until = time.monotonic() + BLOCK_WAIT_S
                continue
            held = any(verdicts[place].kind == HELD for place in waiting)
            waiting = [place for place in waiting if not _is_settled(verdicts[place])]
            met += not held
            if held:
                self._wait_for_promotion(until)
        return verdicts

    def _noted(self, places: list[int], turn: int, attempt: Attempt) -> list[Verdict]:
        """Notes also what was not there to delete: an attempt whose answer was lost may have deleted it, and
        another version may have it."""
        try:
            made = attempt(self.versions.layout.turn_alias(turn), places)
        except NotFound:
            return [Verdict(404, MISSING)] * len(places)
        self.changes.note(
            [
                Change(action.id, action.source, turn, verdict.seq_no)
                for action, verdict in made
                if verdict.done or (verdict.status == 404 and verdict.kind != MISSING)
            ]
        )
        return [verdict for _, verdict in made]

    def _turn(self) -> int:
        """The turn of the version that serves."""
        turn, layout = self.versions.turn(), self.versions.layout
        if turn is None:
            raise Unavailable(nothing_serves(layout.alias, self.cluster.name))
        if turn == 0:
            version = self.versions.serving()
            raise Conflict(f"an earlier build promoted {version}; run: reelrank index promote {version}")
        return turn

    def _wait_for_promotion(self, until: float) -> None:
        if time.monotonic() > until:
            raise Conflict(
                f"writes to {self.versions.layout.alias} have been blocked for {BLOCK_WAIT_S:.0f} s; if no "
                "promotion is at work, one was stopped half-way: run reelrank index promote again"
            )
        time.sleep(BLOCK_PAUSE_S)

    def _bulk(self, target: str, actions: Sequence[Action]) -> list[tuple[Action, Verdict]]:
        verdicts = Bulk(self.cluster, target, FOUND_AT_ONCE + "&require_alias=true").write(actions)
        return list(zip(actions, verdicts, strict=True))


def sources(
    cluster: Cluster, target: str, ids: Sequence[str], until: float, fields: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """What is there now, also what no search sees yet: id to hit.

    Raises NotFound without the target, Partial with the others when some cannot be read, Unavailable
    when none can.
    """
    body: dict[str, Any] = {"docs": [{"_id": name} for name in ids]}
    chosen = f"?_source_includes={','.join(fields)}" if fields else ""
    status, reply = cluster.ask("POST", f"/{target}/_mget{chosen}", body, until)
    docs = cluster.accepted(status, reply, f"reading {len(ids)} documents")["docs"]
    there = {doc["_id"]: doc for doc in docs if doc.get("found")}
    lost = [doc["error"] for doc in docs if "error" in doc]
    if not lost:
        return there
    said = f"{cluster.name} could not read {len(lost)} of {len(docs)} in {target}: {lost[0].get('reason')}"
    if lost[0].get("type") == MISSING:
        raise NotFound(said)
    if len(lost) == len(docs):
        raise Unavailable(said)
    raise Partial(said, there)


def carry_over(cluster: Cluster, old: str, new: str, batches: Iterable[list[Change]]) -> None:
    """Applies changes to the index `new`, which keeps what it has learned; `old` is the one that serves."""
    until, target = time.monotonic() + 10 * ADMIN_S, Bulk(cluster, new)
    for changes in batches:
        ids = [change.item for change in changes]
        live = {change.item: change.source for change in changes}
        if unsaid := [change.item for change in changes if change.turn == 0]:
            there = sources(cluster, old, unsaid, until)
            live.update({name: there[name]["_source"] for name in there})
        built = sources(cluster, new, ids, until, ("id", "title", *LEARNED_PROPERTIES))
        actions = [_carried(name, live[name], built.get(name)) for name in ids]
        for action, verdict in zip(actions, target.write(actions), strict=True):
            if not verdict.done and verdict.status != 404:
                raise Conflict(f"the live change of {action.id} does not fit {new}: {verdict.reason}")


def _carried(name: str, live: Mapping[str, Any] | None, built: Mapping[str, Any] | None) -> Action:
    if live is None:
        return Action("delete", name)
    known = None if built is None else document_of(built["_source"])
    return Action("index", name, source_of(relearned(document_of(live), known)))


def _upsert(document: Document, known: Mapping[str, Any] | None) -> Action:
    """Refused by the server with 409 if what is known has changed since it was read."""
    if known is None:
        return Action("create", document.item.id, source_of(document))
    whole = completed(document, document_of(known["_source"]))
    unchanged = {"if_seq_no": known["_seq_no"], "if_primary_term": known["_primary_term"]}
    return Action("index", document.item.id, source_of(whole), unchanged)


def _is_settled(verdict: Verdict) -> bool:
    return verdict.status != 409 and verdict.kind not in (HELD, MISSING)


def nothing_serves(alias: str, where: str) -> str:
    return f"no index version serves as {alias} on {where}; load items first"

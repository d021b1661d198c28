"""Live changes: into the serving version at once, and into a new one before it serves.

A change is made, then noted, then acknowledged if no promotion has ended its turn meanwhile; else it is
made again in the version that serves now. So what a promotion finds noted is made, and what it
does not find is made again by whoever waits for it. Nothing rests on a clock.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from reelrank.app.engines.server.documents.change_log import Change, ChangeLog
from reelrank.app.engines.server.documents.documents import (
    LEARNED_PROPERTIES,
    decode_document,
    encode_document,
    merge_missing_fields,
    with_learned_fields,
)
from reelrank.app.engines.server.documents.versions import IndexVersions
from reelrank.app.engines.server.transport.bulk import ActionResult, BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import ADMIN_TIMEOUT_S, Cluster
from reelrank.index_mappings.errors import Conflict, NotFound, Partial, Unavailable
from reelrank.index_mappings.item import Document

WAIT_FOR_REFRESH = "&refresh=wait_for"
BLOCK_TIMEOUT_S = 15.0
"""A promotion holds the old version for the time of its last changes; a writer waits so long for it."""
BLOCK_PAUSE_S = 0.1
MAX_CAS_RETRIES = 20
"""How often one document may meet another writer's change before its own is given up."""
WRITE_BLOCKED, INDEX_MISSING = "cluster_block_exception", "index_not_found_exception"

Attempt = Callable[[str, list[int]], list[tuple[BulkAction, ActionResult]]]
"""Makes the changes at these places in a target: what was done, and a verdict for each. Raises NotFound
without the target."""


class LiveDocuments:
    """Changes of the serving version, by id. Raises Conflict when a promotion holds it for too long."""

    def __init__(self, cluster: Cluster, versions: IndexVersions, change_log: ChangeLog) -> None:
        self.cluster = cluster
        self.versions = versions
        self.change_log = change_log

    def upsert(self, documents: Sequence[Document]) -> list[ActionResult]:
        """Each completed by what is known of it. Written again when somebody else wrote in between."""

        def attempt(target: str, positions: list[int]) -> list[tuple[BulkAction, ActionResult]]:
            chosen = [documents[place] for place in positions]
            known = fetch_sources(
                self.cluster, target, [d.item.id for d in chosen], time.monotonic() + ADMIN_TIMEOUT_S
            )
            return self._write_bulk(
                target, [_build_upsert_action(document, known.get(document.item.id)) for document in chosen]
            )

        return self._apply_until_acknowledged(len(documents), attempt)

    def delete(self, ids: Sequence[str]) -> int:
        """How many were there."""
        there = set[str]()

        def attempt(target: str, positions: list[int]) -> list[tuple[BulkAction, ActionResult]]:
            made = self._write_bulk(target, [BulkAction("delete", ids[place]) for place in positions])
            there.update(action.document_id for action, verdict in made if verdict.succeeded)
            return made

        self._apply_until_acknowledged(len(ids), attempt)
        return len(there)

    def _apply_until_acknowledged(self, count: int, attempt: Attempt) -> list[ActionResult]:
        """Verdicts of changes that are noted, and were made in a turn that had not ended when they were."""
        verdicts = [ActionResult(409)] * count
        waiting, turn, met, until = (
            list(range(count)),
            self._read_epoch_alias(),
            0,
            time.monotonic() + BLOCK_TIMEOUT_S,
        )
        while waiting and met < MAX_CAS_RETRIES:
            for place, verdict in zip(waiting, self._apply_and_log(waiting, turn, attempt), strict=True):
                verdicts[place] = verdict
            before, turn = turn, self._read_epoch_alias()
            if turn != before:
                until = time.monotonic() + BLOCK_TIMEOUT_S
                continue
            held = any(verdicts[place].error_type == WRITE_BLOCKED for place in waiting)
            waiting = [place for place in waiting if not _is_final(verdicts[place])]
            met += not held
            if held:
                self._wait_for_promotion(until)
        return verdicts

    def _apply_and_log(self, positions: list[int], turn: int, attempt: Attempt) -> list[ActionResult]:
        """Notes also what was not there to delete: an attempt whose answer was lost may have deleted it, and
        another version may have it."""
        try:
            made = attempt(self.versions.layout.epoch_alias(turn), positions)
        except NotFound:
            return [ActionResult(404, INDEX_MISSING)] * len(positions)
        changes = [
            Change(action.document_id, action.source, turn, verdict.seq_no)
            for action, verdict in made
            if verdict.succeeded or (verdict.status == 404 and verdict.error_type != INDEX_MISSING)
        ]
        self.change_log.append(self._merge_logged_fields(changes))
        return [verdict for _, verdict in made]

    def _merge_logged_fields(self, changes: Sequence[Change]) -> list[Change]:
        """Add the vectors and neighbours of the changes that these replace in the log.

        A version that lacks both changes gets only the later one, which must bring the fields of the earlier.
        """
        incomplete = [change.item for change in changes if change.lacks_fields]
        if not incomplete:
            return list(changes)
        until = time.monotonic() + ADMIN_TIMEOUT_S
        logged = fetch_sources(self.cluster, self.change_log.index, incomplete, until)
        earlier = {item_id: hit["_source"].get("document") for item_id, hit in logged.items()}
        return [change.merge_missing_fields(earlier.get(change.item)) for change in changes]

    def _read_epoch_alias(self) -> int:
        """The turn of the version that serves."""
        turn, layout = self.versions.read_epoch(), self.versions.layout
        if turn is None:
            raise Unavailable(describe_no_serving_version(layout.alias, self.cluster.name))
        if turn == 0:
            version = self.versions.serving_version()
            raise Conflict(f"an earlier build promoted {version}; run: reelrank index promote {version}")
        return turn

    def _wait_for_promotion(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise Conflict(
                f"writes to {self.versions.layout.alias} have been blocked for {BLOCK_TIMEOUT_S:.0f} s; if "
                "no promotion is at work, one was stopped half-way: run reelrank index promote again"
            )
        time.sleep(BLOCK_PAUSE_S)

    def _write_bulk(
        self, target: str, actions: Sequence[BulkAction]
    ) -> list[tuple[BulkAction, ActionResult]]:
        verdicts = BulkWriter(self.cluster, target, WAIT_FOR_REFRESH + "&require_alias=true").write(actions)
        return list(zip(actions, verdicts, strict=True))


def fetch_sources(
    cluster: Cluster, target: str, ids: Sequence[str], deadline: float, fields: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """What is there now, also what no search sees yet: id to hit.

    Raises NotFound without the target, Partial with the others when some cannot be read, Unavailable
    when none can.
    """
    body: dict[str, Any] = {"docs": [{"_id": name} for name in ids]}
    chosen = f"?_source_includes={','.join(fields)}" if fields else ""
    status, reply = cluster.request_idempotent("POST", f"/{target}/_mget{chosen}", body, deadline)
    docs = cluster.check_response(status, reply, f"reading {len(ids)} documents")["docs"]
    there = {doc["_id"]: doc for doc in docs if doc.get("found")}
    lost = [doc["error"] for doc in docs if "error" in doc]
    if not lost:
        return there
    said = f"{cluster.name} could not read {len(lost)} of {len(docs)} in {target}: {lost[0].get('reason')}"
    if lost[0].get("type") == INDEX_MISSING:
        raise NotFound(said)
    if len(lost) == len(docs):
        raise Unavailable(said)
    raise Partial(said, there)


def copy_changes(
    cluster: Cluster, source_index: str, target_index: str, batches: Iterable[list[Change]]
) -> None:
    """Applies changes to the index `new`, which keeps what it has learned; `old` is the one that serves."""
    until, target = time.monotonic() + 10 * ADMIN_TIMEOUT_S, BulkWriter(cluster, target_index)
    for changes in batches:
        ids = [change.item for change in changes]
        live = {change.item: change.source for change in changes}
        if unsaid := [change.item for change in changes if change.turn == 0]:
            there = fetch_sources(cluster, source_index, unsaid, until)
            live.update({name: there[name]["_source"] for name in there})
        built = fetch_sources(cluster, target_index, ids, until, ("id", "title", *LEARNED_PROPERTIES))
        actions = [_build_copy_action(name, live[name], built.get(name)) for name in ids]
        for action, verdict in zip(actions, target.write(actions), strict=True):
            if not verdict.succeeded and verdict.status != 404:
                raise Conflict(
                    f"the live change of {action.document_id} does not fit {target_index}: {verdict.reason}"
                )


def _build_copy_action(
    item_id: str, live: Mapping[str, Any] | None, built: Mapping[str, Any] | None
) -> BulkAction:
    if live is None:
        return BulkAction("delete", item_id)
    known = None if built is None else decode_document(built["_source"])
    return BulkAction("index", item_id, encode_document(with_learned_fields(decode_document(live), known)))


def _build_upsert_action(document: Document, stored: Mapping[str, Any] | None) -> BulkAction:
    """Refused by the server with 409 if what is known has changed since it was read."""
    if stored is None:
        return BulkAction("create", document.item.id, encode_document(document))
    whole = merge_missing_fields(document, decode_document(stored["_source"]))
    unchanged = {"if_seq_no": stored["_seq_no"], "if_primary_term": stored["_primary_term"]}
    return BulkAction("index", document.item.id, encode_document(whole), unchanged)


def _is_final(verdict: ActionResult) -> bool:
    return verdict.status != 409 and verdict.error_type not in (WRITE_BLOCKED, INDEX_MISSING)


def describe_no_serving_version(alias: str, cluster_name: str) -> str:
    return f"no index version serves as {alias} on {cluster_name}; load items first"

"""Live changes: applied to the serving version at once, and to every other version before it serves.

Write protocol: (1) apply the change to the serving index, (2) append it to the change log, (3) re-read the
promotion epoch. Acknowledge only if the epoch is unchanged; otherwise re-apply to the index that is serving
now. So a promotion finds in the log every change that was applied, and a change that it misses is re-applied
by the writer that still waits for its acknowledgement. Nothing depends on a clock.
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
from reelrank.app.engines.server.documents.serving_alias import ServingAlias
from reelrank.app.engines.server.documents.versions import IndexVersions
from reelrank.app.engines.server.transport.bulk import ActionResult, BulkAction, BulkWriter
from reelrank.app.engines.server.transport.cluster import ADMIN_TIMEOUT_S, Cluster
from reelrank.index_mappings.errors import Conflict, EngineError, NotFound, Partial, Unavailable
from reelrank.index_mappings.item import Document

WAIT_FOR_REFRESH = "&refresh=wait_for"
BLOCK_TIMEOUT_S = 15.0
"""How long a writer waits while a promotion blocks writes to copy the last changes."""
BLOCK_PAUSE_S = 0.1
MAX_CAS_RETRIES = 20
"""Compare-and-swap attempts per document; each failed one means that another writer changed it first."""
WRITE_BLOCKED, INDEX_MISSING = "cluster_block_exception", "index_not_found_exception"

AppliedActions = list[tuple[BulkAction, ActionResult]]
Attempt = Callable[[str, list[int]], AppliedActions]
"""Applies the changes at these positions to a target index. Raises NotFound without the target."""


class LiveDocuments:
    """Writes live changes to the serving version. Raises Conflict when a promotion blocks it for too long."""

    def __init__(self, versions: IndexVersions, alias: ServingAlias, change_log: ChangeLog) -> None:
        self.cluster = versions.cluster
        self.versions = versions
        self.alias = alias
        self.change_log = change_log

    def upsert(self, documents: Sequence[Document]) -> list[ActionResult]:
        """Upserts documents; each keeps the stored vectors and neighbours that it does not bring itself."""

        def attempt(target: str, positions: list[int]) -> AppliedActions:
            batch = [documents[position] for position in positions]
            deadline = time.monotonic() + ADMIN_TIMEOUT_S
            stored = fetch_sources(self.cluster, target, [d.item.id for d in batch], deadline)
            return self._write_bulk(target, [_build_upsert_action(d, stored.get(d.item.id)) for d in batch])

        return self._apply_until_acknowledged(len(documents), attempt)

    def delete(self, ids: Sequence[str]) -> int:
        """Deletes items. Returns how many existed."""
        deleted = set[str]()

        def attempt(target: str, positions: list[int]) -> AppliedActions:
            applied = self._write_bulk(target, [BulkAction("delete", ids[n]) for n in positions])
            deleted.update(action.document_id for action, result in applied if result.succeeded)
            return applied

        self._apply_until_acknowledged(len(ids), attempt)
        return len(deleted)

    def _apply_until_acknowledged(self, count: int, attempt: Attempt) -> list[ActionResult]:
        """Runs the write protocol until every change has a final result under an unchanged epoch.

        While writes are blocked no result is final: the promotion may have read the log before the change
        was in it.
        """
        results, pending, retries = [ActionResult(409)] * count, list(range(count)), 0
        (epoch, _), deadline = self._read_state(), time.monotonic() + BLOCK_TIMEOUT_S
        while pending and retries < MAX_CAS_RETRIES:
            for position, result in zip(pending, self._apply_and_log(pending, epoch, attempt), strict=True):
                results[position] = result
            previous, (epoch, is_blocked) = epoch, self._read_state()
            if epoch != previous:
                deadline = time.monotonic() + BLOCK_TIMEOUT_S
                continue
            if is_blocked or any(results[position].error_type == WRITE_BLOCKED for position in pending):
                self._wait_for_promotion(deadline)
                continue
            pending = [position for position in pending if not _is_final(results[position])]
            retries += 1
        return results

    def _apply_and_log(self, positions: list[int], epoch: int, attempt: Attempt) -> list[ActionResult]:
        """Applies changes, then logs them.

        Deletions of missing items are logged too: another version may have the item, and an earlier attempt
        whose response was lost may have deleted it here.
        """
        try:
            applied = attempt(self.versions.layout.epoch_alias(epoch), positions)
        except NotFound:
            return [ActionResult(404, INDEX_MISSING)] * len(positions)
        changes = [
            Change(action.document_id, action.source, epoch, result.seq_no)
            for action, result in applied
            if result.succeeded or (result.status == 404 and result.error_type != INDEX_MISSING)
        ]
        self.change_log.append(self._merge_logged_fields(changes))
        return [result for _, result in applied]

    def _merge_logged_fields(self, changes: Sequence[Change]) -> list[Change]:
        """Adds the vectors and neighbours of the changes that these replace in the log.

        A version that lacks both changes gets only the later one, which must bring the fields of the earlier.
        """
        incomplete = [change.item_id for change in changes if change.lacks_fields]
        if not incomplete:
            return list(changes)
        deadline = time.monotonic() + ADMIN_TIMEOUT_S
        logged = fetch_sources(self.cluster, self.change_log.index, incomplete, deadline)
        earlier = {item_id: hit["_source"].get("document") for item_id, hit in logged.items()}
        return [change.merge_missing_fields(earlier.get(change.item_id)) for change in changes]

    def _read_state(self) -> tuple[int, bool]:
        """Returns the epoch, and whether writes are blocked. Raises Unavailable, or Conflict."""
        state, layout = self.alias.read_state(), self.versions.layout
        if state is None:
            raise Unavailable(
                describe_no_serving_version(layout.alias, self.cluster.name), code="no_index_version"
            )
        if state.epoch == 0:
            version = self.versions.serving_version()
            raise Conflict(
                f"index version {version} was promoted by an older reelrank, so it takes no live changes; "
                f"run: reelrank index promote {version}",
                code="index_version_outdated",
            )
        return state.epoch, state.is_blocked

    def _wait_for_promotion(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise Conflict(
                f"writes to {self.versions.layout.alias} have been blocked for {BLOCK_TIMEOUT_S:.0f} s; if "
                "no promotion is running, one was interrupted: run reelrank index promote again",
                code="writes_blocked",
            )
        time.sleep(BLOCK_PAUSE_S)

    def _write_bulk(self, target: str, actions: Sequence[BulkAction]) -> AppliedActions:
        results = BulkWriter(self.cluster, target, WAIT_FOR_REFRESH + "&require_alias=true").write(actions)
        return list(zip(actions, results, strict=True))


def fetch_sources(
    cluster: Cluster, target: str, ids: Sequence[str], deadline: float, fields: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Reads documents by id, including those that no search sees yet. Returns the hit of each id found.

    Raises NotFound without the target, Partial with those that could be read, Unavailable if none could.
    """
    body: dict[str, Any] = {"docs": [{"_id": item_id} for item_id in ids]}
    includes = f"?_source_includes={','.join(fields)}" if fields else ""
    status, reply = cluster.request_idempotent("POST", f"/{target}/_mget{includes}", body, deadline)
    docs = cluster.check_response(status, reply, f"reading {len(ids)} documents")["docs"]
    found = {doc["_id"]: doc for doc in docs if doc.get("found")}
    errors = [doc["error"] for doc in docs if "error" in doc]
    if not errors:
        return found
    message = f"{cluster.name} could not read {len(errors)} of {len(docs)} documents of {target}"
    error: EngineError = Unavailable(message) if len(errors) == len(docs) else Partial(message, found)
    if errors[0].get("type") == INDEX_MISSING:
        error = NotFound(message)
    error.cause = str(errors[0].get("reason", ""))
    raise error


def copy_changes(
    cluster: Cluster, serving_index: str, target_index: str, batches: Iterable[list[Change]]
) -> None:
    """Applies logged changes to the target index, which keeps its own learned fields."""
    deadline, target = time.monotonic() + 10 * ADMIN_TIMEOUT_S, BulkWriter(cluster, target_index)
    for changes in batches:
        ids = [change.item_id for change in changes]
        sources = {change.item_id: change.source for change in changes}
        if without_source := [change.item_id for change in changes if change.epoch == 0]:
            serving = fetch_sources(cluster, serving_index, without_source, deadline)
            sources.update({item_id: hit["_source"] for item_id, hit in serving.items()})
        stored = fetch_sources(cluster, target_index, ids, deadline, ("id", "title", *LEARNED_PROPERTIES))
        actions = [_build_copy_action(item_id, sources[item_id], stored.get(item_id)) for item_id in ids]
        for action, result in zip(actions, target.write(actions), strict=True):
            if not result.succeeded and result.status != 404:
                raise Conflict(
                    f"{target_index} rejected the live change of {action.document_id}: {result.reason}",
                    code="live_change_rejected",
                )


def _build_copy_action(
    item_id: str, source: Mapping[str, Any] | None, stored: Mapping[str, Any] | None
) -> BulkAction:
    if source is None:
        return BulkAction("delete", item_id)
    known = None if stored is None else decode_document(stored["_source"])
    return BulkAction("index", item_id, encode_document(with_learned_fields(decode_document(source), known)))


def _build_upsert_action(document: Document, stored: Mapping[str, Any] | None) -> BulkAction:
    """Builds a conditional write: the server answers 409 if the document changed since it was read."""
    if stored is None:
        return BulkAction("create", document.item.id, encode_document(document))
    merged = merge_missing_fields(document, decode_document(stored["_source"]))
    unchanged = {"if_seq_no": stored["_seq_no"], "if_primary_term": stored["_primary_term"]}
    return BulkAction("index", document.item.id, encode_document(merged), unchanged)


def _is_final(result: ActionResult) -> bool:
    return result.status != 409 and result.error_type not in (WRITE_BLOCKED, INDEX_MISSING)


def describe_no_serving_version(alias: str, cluster_name: str) -> str:
    return (
        f"{cluster_name} has no serving index version (no alias {alias}); load items first: "
        "reelrank load items FILE"
    )

"""Migration of items, learned fields and events from one engine to another; a later run copies changes.

The ledger records what was copied, so a later run can tell changes at the source from changes at the
target. It copies the former and preserves the latter. If an item changed on both sides, the source wins.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.engine import SearchEngine, WriteReport
from reelrank.index_mappings.errors import Conflict, NotFound
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.event_store import EventStore
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document
from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.loaders.items.catalogue import LoadRejected
from reelrank.loaders.migration.ledger import CopySnapshot, MigrationLedger, SnapshotBuilder
from reelrank.ranking.progress import Progress

ITEMS_STEP, EVENTS_STEP = "copying items", "copying events"


@dataclass(frozen=True, slots=True)
class ItemMigrationReport:
    """Counts of one run: items written and deleted at the target, and the version that serves there.

    preserved: items that were changed, added or deleted at the target and stay so in a full copy.
    """

    version: str
    written: int
    deleted: int
    preserved: int = 0


def check_target(source: SearchEngine, target: SearchEngine, ledger: MigrationLedger) -> None:
    """Raises NotFound if the source serves nothing, Conflict if the target serves another catalogue."""
    if source.serving_version() is None:
        raise NotFound(
            f"the {source.name} engine serves no index version, so there is nothing to migrate; "
            "load items first",
            code="no_items_loaded",
        )
    serving = target.serving_version()
    copied = ledger.read_items(serving)
    if serving is not None and (copied is None or copied.version not in {v.name for v in target.versions()}):
        raise Conflict(
            f"{target.name} serves {serving}, which was not copied from the {source.name} engine; "
            "migrate to another REELRANK_ENGINE_PREFIX to keep it",
            code="migration_target_in_use",
        )


def move_items(
    source: SearchEngine, target: SearchEngine, ledger: MigrationLedger, progress: Progress
) -> ItemMigrationReport:
    """Copies the serving version, or only its changes if it was copied before.

    The version keeps its name, so its item table stays valid. Raises NotFound, Conflict, LoadRejected.
    """
    check_target(source, target, ledger)
    version, serving = str(source.serving_version()), target.serving_version()
    copied = ledger.read_items(serving)
    if serving is None or copied is None:
        return _copy_version(source, target, ledger, None, progress)
    if version == copied.version:
        return _copy_changes(source, target, ledger, copied)
    if serving == copied.version:
        return _copy_version(source, target, ledger, copied, progress)
    raise Conflict(
        f"both engines were loaded or trained since {copied.version} was copied: {source.name} serves "
        f"{version}, {target.name} serves {serving}. Events are copied; the items of {target.name} are "
        f"unchanged. To replace them with those of {source.name}, run reelrank index promote "
        f"{copied.version}, then reelrank migrate",
        code="both_engines_changed",
    )


def move_events(source: EventStore, target: EventStore, ledger: MigrationLedger, progress: Progress) -> int:
    """Copies events that the target does not have yet; returns their number. Safe to repeat after a kill."""
    position, stored, read, total = ledger.read_event_position(), 0, 0, source.count()
    while True:
        batch, position = source.follow(position)
        if not batch.num_rows:
            target.flush()
            return stored
        stored += target.append(_to_events(batch)).stored
        ledger.write_event_position(position)
        read += batch.num_rows
        progress(EVENTS_STEP, read, max(total, read))


@dataclass(slots=True)
class TargetChanges:
    """Items changed, added and deleted at the target since `snapshot` was copied there; held in memory.

    preserved: how many of them have been merged so far.
    """

    snapshot: CopySnapshot | None = None
    changed: dict[str, Document] = field(default_factory=dict)
    deleted: frozenset[bytes] = frozenset()
    preserved: int = 0

    def merge(self, batch: Sequence[Document]) -> list[Document]:
        """Returns documents of the source's new version, with those that only the target changed replaced."""
        if self.snapshot is None:
            return list(batch)
        unchanged = self.snapshot.match_items(batch)
        return [
            merged
            for document, same in zip(batch, unchanged, strict=True)
            for merged in self._merge_document(document, same)
        ]

    def collect_added(self) -> list[Document]:
        """Returns the documents that only the target has; call it after all batches were merged."""
        known = set() if self.snapshot is None else set(self.snapshot.ids.tolist())
        new = [document for item_id, document in self.changed.items() if item_id.encode() not in known]
        self.preserved += len(new)
        return new

    def _merge_document(self, document: Document, is_unchanged: bool) -> Iterator[Document]:
        """Yields the document to write, if any. is_unchanged: at the source, since the snapshot."""
        item_id = document.item.id
        changed, is_deleted = self.changed.pop(item_id, None), item_id.encode() in self.deleted
        if not is_unchanged or not (changed or is_deleted):
            yield document
            return
        self.preserved += 1
        if changed:
            yield _with_learned_fields(changed, document)


def _find_target_changes(target: SearchEngine, snapshot: CopySnapshot | None) -> TargetChanges:
    if snapshot is None:
        return TargetChanges()
    found, changed = list[ItemIds](), dict[str, Document]()
    for batch in target.scan(snapshot.version):
        unchanged = snapshot.match_items(batch)
        changed |= {d.item.id: d for d, same in zip(batch, unchanged, strict=True) if not same}
        found.append(encode_item_ids(document.item.id for document in batch))
    deleted = np.setdiff1d(snapshot.ids, np.concatenate(found)) if found else snapshot.ids
    return TargetChanges(snapshot, changed, frozenset(deleted.tolist()))


def _copy_version(
    source: SearchEngine,
    target: SearchEngine,
    ledger: MigrationLedger,
    snapshot: CopySnapshot | None,
    progress: Progress,
) -> ItemMigrationReport:
    """Copies a whole version and promotes it. A partial copy of a killed run is dropped first."""
    version = str(source.serving_version())
    total = next(v.documents for v in source.versions() if v.name == version)
    if version in {v.name for v in target.versions()}:
        target.drop(version)
    target.create_index(version)  # from now on the target applies live changes to it
    target_changes, builder = _find_target_changes(target, snapshot), SnapshotBuilder(version)
    read = written = 0
    for batch in source.scan(version):
        builder.add(batch)
        written += _write_batch(target, version, target_changes.merge(batch))
        read += len(batch)
        progress(ITEMS_STEP, read, max(total, read))
    written += _write_batch(target, version, target_changes.collect_added())
    ledger.stage_snapshot(builder.build())
    target.promote(version)
    ledger.commit_snapshot()
    return ItemMigrationReport(version, written, 0, target_changes.preserved)


def _write_batch(target: SearchEngine, version: str, documents: Sequence[Document]) -> int:
    report = target.write(version, documents) if documents else WriteReport(0)
    _raise_if_rejected(report, target.name)
    return report.written


def _copy_changes(
    source: SearchEngine, target: SearchEngine, ledger: MigrationLedger, snapshot: CopySnapshot
) -> ItemMigrationReport:
    """Applies changes and deletions at the source since the snapshot to the version that the target serves.

    If that is a version which the target trained itself, its learned fields are newer and stay.
    """
    builder, written = SnapshotBuilder(snapshot.version), 0
    is_retrained = target.serving_version() != snapshot.version
    for batch in source.scan(snapshot.version):
        builder.add(batch)
        changed = [d for d, same in zip(batch, snapshot.match_documents(batch), strict=True) if not same]
        if changed:
            report = target.upsert([_without_learned_fields(d) for d in changed] if is_retrained else changed)
            _raise_if_rejected(report, target.name)
            written += report.written
    current = builder.build()
    removed = [item_id.decode() for item_id in np.setdiff1d(snapshot.ids, current.ids).tolist()]
    deleted = target.delete(removed)
    ledger.write_items(current)
    return ItemMigrationReport(str(target.serving_version()), written, deleted)


def _with_learned_fields(target_document: Document, source_document: Document) -> Document:
    """Combines the target's item with the learned fields of the source's document."""
    learned = {name: v for name, v in source_document.vectors.items() if VECTOR_FIELDS[name].learned}
    return Document(
        target_document.item,
        {**_without_learned_fields(target_document).vectors, **learned},
        source_document.neighbours,
    )


def _without_learned_fields(document: Document) -> Document:
    vectors = {name: v for name, v in document.vectors.items() if not VECTOR_FIELDS[name].learned}
    return Document(document.item, vectors)


def _raise_if_rejected(report: WriteReport, engine_name: str) -> None:
    """Raises LoadRejected if the engine rejected a document, so that no incomplete copy is promoted."""
    if report.rejected:
        first = report.rejected[0]
        raise LoadRejected(
            f"{engine_name} rejected {len(report.rejected)} items; first: {first.id}: {first.reason}. "
            "Correct or delete them at the source, then run the migration again",
            code="items_rejected",
        )


def _to_events(batch: pa.RecordBatch) -> list[Event]:
    return [Event(**row) for row in batch.to_pylist()]

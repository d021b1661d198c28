"""From one engine to another: items with what was learned of them, and events. Run again, it brings the rest.

What was copied is noted. So a later run tells what has changed at the source since from what has changed
at the target: it brings the former, and keeps the latter. An item changed on both is as the source has it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from reelrank.index_mappings.engine import EventStore, SearchEngine, WriteReport
from reelrank.index_mappings.errors import Conflict, NotFound
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document
from reelrank.index_mappings.match import ItemIds, item_ids
from reelrank.loaders.items.catalogue import LoadRejected
from reelrank.loaders.migration.ledger import CopySnapshot, MigrationLedger, SnapshotBuilder
from reelrank.ranking.progress import Progress

ITEMS_STEP, EVENTS_STEP = "copying items", "copying events"


@dataclass(frozen=True, slots=True)
class ItemMigrationReport:
    """What a run did: items written and deleted at the target, and the version that serves there.

    kept: items that were changed, added or deleted at the target and stay so in a version copied whole.
    """

    version: str
    written: int
    deleted: int
    preserved: int = 0


def check_target(source: SearchEngine, target: SearchEngine, ledger: MigrationLedger) -> None:
    """Raises NotFound with nothing to move, Conflict when the target has a catalogue from elsewhere."""
    if source.serving_version() is None:
        raise NotFound(f"no index version serves on the {source.name} engine: there is nothing to move")
    serving = target.serving_version()
    noted = ledger.read_items(serving)
    if serving is not None and (noted is None or noted.version not in {v.name for v in target.versions()}):
        raise Conflict(
            f"{target.name} serves {serving}, which was not moved there from the {source.name} engine; "
            "set another REELRANK_ENGINE_PREFIX, or leave it as it is"
        )


def move_items(
    source: SearchEngine, target: SearchEngine, ledger: MigrationLedger, progress: Progress
) -> ItemMigrationReport:
    """The version keeps its name, so its item table stays. Raises NotFound, Conflict, LoadRefused."""
    check_target(source, target, ledger)
    version, serving = str(source.serving_version()), target.serving_version()
    noted = ledger.read_items(serving)
    if serving is None or noted is None:
        return _copy_version(source, target, ledger, None, progress)
    if version == noted.version:
        return _copy_changes(source, target, ledger, noted)
    if serving == noted.version:
        return _copy_version(source, target, ledger, noted, progress)
    raise Conflict(
        f"both sides were loaded or trained since {noted.version} was moved: {source.name} serves {version}, "
        f"{target.name} {serving}. Events are moved, items stay as {target.name} has them; to have those of "
        f"{source.name}, run reelrank index promote {noted.version}, then reelrank migrate"
    )


def move_events(source: EventStore, target: EventStore, ledger: MigrationLedger, progress: Progress) -> int:
    """How many the target did not have yet. Each counts once, however often this is run or killed."""
    position, stored, read, total = ledger.read_event_position(), 0, 0, source.count()
    while True:
        batch, position = source.follow(position)
        if not batch.num_rows:
            return stored
        stored += target.append(_to_events(batch)).stored
        ledger.write_event_position(position)
        read += batch.num_rows
        progress(EVENTS_STEP, read, max(total, read))


@dataclass(slots=True)
class TargetChanges:
    """What was changed, added and deleted at the target since `before` was copied there; held in memory."""

    snapshot: CopySnapshot | None = None
    changed: dict[str, Document] = field(default_factory=dict)
    deleted: frozenset[bytes] = frozenset()
    preserved: int = 0

    def merge(self, batch: Sequence[Document]) -> list[Document]:
        """Documents of the source's new version, but for those that only the target changed."""
        if self.snapshot is None:
            return list(batch)
        untouched = self.snapshot.match_items(batch)
        return [
            d for each, same in zip(batch, untouched, strict=True) for d in self._merge_document(each, same)
        ]

    def collect_added(self) -> list[Document]:
        """What the source never had, once all of its documents have been applied."""
        known = set() if self.snapshot is None else set(self.snapshot.ids.tolist())
        new = [document for name, document in self.changed.items() if name.encode() not in known]
        self.preserved += len(new)
        return new

    def _merge_document(self, document: Document, is_untouched: bool) -> Iterator[Document]:
        name = document.item.id
        theirs, is_deleted = self.changed.pop(name, None), name.encode() in self.deleted
        if not is_untouched or not (theirs or is_deleted):
            yield document
            return
        self.preserved += 1
        if theirs:
            yield _with_learned_fields(theirs, document)


def _find_target_changes(target: SearchEngine, snapshot: CopySnapshot | None) -> TargetChanges:
    if snapshot is None:
        return TargetChanges()
    found, changed = list[ItemIds](), dict[str, Document]()
    for batch in target.scan(snapshot.version):
        known = snapshot.match_items(batch)
        changed |= {d.item.id: d for d, same in zip(batch, known, strict=True) if not same}
        found.append(item_ids(document.item.id for document in batch))
    gone = np.setdiff1d(snapshot.ids, np.concatenate(found)) if found else snapshot.ids
    return TargetChanges(snapshot, changed, frozenset(gone.tolist()))


def _copy_version(
    source: SearchEngine,
    target: SearchEngine,
    ledger: MigrationLedger,
    snapshot: CopySnapshot | None,
    progress: Progress,
) -> ItemMigrationReport:
    """A whole version. What a run that was killed left of it is dropped."""
    version = str(source.serving_version())
    total = next(each.documents for each in source.versions() if each.name == version)
    if version in {each.name for each in target.versions()}:
        target.drop(version)
    target.create_index(version)  # from here on the target itself brings live changes into it
    meanwhile, noting, read, written = _find_target_changes(target, snapshot), SnapshotBuilder(version), 0, 0
    for batch in source.scan(version):
        noting.add(batch)
        written += _write_batch(target, version, meanwhile.merge(batch))
        read += len(batch)
        progress(ITEMS_STEP, read, max(total, read))
    written += _write_batch(target, version, meanwhile.collect_added())
    ledger.stage_snapshot(noting.build())
    target.promote(version)
    ledger.commit_snapshot()
    return ItemMigrationReport(version, written, 0, meanwhile.preserved)


def _write_batch(target: SearchEngine, version: str, documents: Sequence[Document]) -> int:
    report = target.write(version, documents) if documents else WriteReport(0)
    _raise_if_rejected(report, target.name)
    return report.written


def _copy_changes(
    source: SearchEngine, target: SearchEngine, ledger: MigrationLedger, snapshot: CopySnapshot
) -> ItemMigrationReport:
    """Items changed or deleted at the source since they were copied, into whatever serves at the target.

    A version that the target made since has learned more than the source has.
    """
    now, written, is_theirs = (
        SnapshotBuilder(snapshot.version),
        0,
        target.serving_version() != snapshot.version,
    )
    for batch in source.scan(snapshot.version):
        now.add(batch)
        changed = [d for d, same in zip(batch, snapshot.match_documents(batch), strict=True) if not same]
        if changed:
            report = target.upsert([_without_learned_fields(d) for d in changed] if is_theirs else changed)
            _raise_if_rejected(report, target.name)
            written += report.written
    after = now.build()
    gone = [name.decode() for name in np.setdiff1d(snapshot.ids, after.ids).tolist()]
    deleted = target.delete(gone)
    ledger.write_items(after)
    return ItemMigrationReport(str(target.serving_version()), written, deleted)


def _with_learned_fields(target_document: Document, source_document: Document) -> Document:
    """Their item, with what the new version has learned of it."""
    learned = {name: v for name, v in source_document.vectors.items() if VECTOR_FIELDS[name].learned}
    return Document(
        target_document.item,
        {**_without_learned_fields(target_document).vectors, **learned},
        source_document.neighbours,
    )


def _without_learned_fields(document: Document) -> Document:
    own = {name: v for name, v in document.vectors.items() if not VECTOR_FIELDS[name].learned}
    return Document(document.item, own)


def _raise_if_rejected(report: WriteReport, engine_name: str) -> None:
    """One engine may hold what another refuses; then nothing is promoted."""
    if report.rejected:
        first = report.rejected[0]
        raise LoadRejected(
            f"{engine_name} takes {len(report.rejected)} items not; the first is {first.id}: {first.reason}"
        )


def _to_events(batch: pa.RecordBatch) -> list[Event]:
    return [Event(**row) for row in batch.to_pylist()]

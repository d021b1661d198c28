"""From one engine to another: items with what was learned of them, and events. Run again, it brings the rest.

What was copied is noted. So a later run tells what has changed at the source since from what has changed
at the target: it brings the former, and keeps the latter. An item changed on both is as the source has it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from index_mappings.engine import EventStore, SearchEngine, WriteReport
from index_mappings.errors import Conflict, NotFound
from index_mappings.event import Event
from index_mappings.fields import VECTOR_FIELDS
from index_mappings.item import Document
from index_mappings.match import ItemIds, item_ids
from loaders.catalogue import LoadRefused
from loaders.migration_notes import Noted, Notes, Noting
from ranking.progress import Progress

ITEMS, EVENTS = "copying items", "copying events"


@dataclass(frozen=True, slots=True)
class ItemsMoved:
    """What a run did: items written and deleted at the target, and the version that serves there.

    kept: items that were changed, added or deleted at the target and stay so in a version copied whole.
    """

    version: str
    written: int
    deleted: int
    kept: int = 0


def refuse_another(source: SearchEngine, target: SearchEngine, notes: Notes) -> None:
    """Raises NotFound with nothing to move, Conflict when the target has a catalogue from elsewhere."""
    if source.serving_version() is None:
        raise NotFound(f"no index version serves on the {source.name} engine: there is nothing to move")
    serving = target.serving_version()
    noted = notes.items(serving)
    if serving is not None and (noted is None or noted.version not in {v.name for v in target.versions()}):
        raise Conflict(
            f"{target.name} serves {serving}, which was not moved there from the {source.name} engine; "
            "set another REELRANK_ENGINE_PREFIX, or leave it as it is"
        )


def move_items(source: SearchEngine, target: SearchEngine, notes: Notes, progress: Progress) -> ItemsMoved:
    """The version keeps its name, so its item table stays. Raises NotFound, Conflict, LoadRefused."""
    refuse_another(source, target, notes)
    version, serving = str(source.serving_version()), target.serving_version()
    noted = notes.items(serving)
    if serving is None or noted is None:
        return _copy(source, target, notes, None, progress)
    if version == noted.version:
        return _bring_changes(source, target, notes, noted)
    if serving == noted.version:
        return _copy(source, target, notes, noted, progress)
    raise Conflict(
        f"both sides were loaded or trained since {noted.version} was moved: {source.name} serves {version}, "
        f"{target.name} {serving}. Events are moved, items stay as {target.name} has them; to have those of "
        f"{source.name}, run reelrank index promote {noted.version}, then reelrank migrate"
    )


def move_events(source: EventStore, target: EventStore, notes: Notes, progress: Progress) -> int:
    """How many the target did not have yet. Each counts once, however often this is run or killed."""
    position, stored, read, total = notes.events(), 0, 0, source.count()
    while True:
        batch, position = source.follow(position)
        if not batch.num_rows:
            return stored
        stored += target.append(_events(batch)).stored
        notes.keep_events(position)
        read += batch.num_rows
        progress(EVENTS, read, max(total, read))


@dataclass(slots=True)
class Meanwhile:
    """What was changed, added and deleted at the target since `before` was copied there; held in memory."""

    before: Noted | None = None
    changed: dict[str, Document] = field(default_factory=dict)
    deleted: frozenset[bytes] = frozenset()
    kept: int = 0

    def applied(self, batch: Sequence[Document]) -> list[Document]:
        """Documents of the source's new version, but for those that only the target changed."""
        if self.before is None:
            return list(batch)
        untouched = self.before.knows_items(batch)
        return [d for each, same in zip(batch, untouched, strict=True) for d in self._applied(each, same)]

    def added(self) -> list[Document]:
        """What the source never had, once all of its documents have been applied."""
        known = set() if self.before is None else set(self.before.ids.tolist())
        new = [document for name, document in self.changed.items() if name.encode() not in known]
        self.kept += len(new)
        return new

    def _applied(self, document: Document, untouched: bool) -> Iterator[Document]:
        name = document.item.id
        theirs, is_deleted = self.changed.pop(name, None), name.encode() in self.deleted
        if not untouched or not (theirs or is_deleted):
            yield document
            return
        self.kept += 1
        if theirs:
            yield _relearned(theirs, document)


def _meanwhile(target: SearchEngine, before: Noted | None) -> Meanwhile:
    if before is None:
        return Meanwhile()
    found, changed = list[ItemIds](), dict[str, Document]()
    for batch in target.scan(before.version):
        known = before.knows_items(batch)
        changed |= {d.item.id: d for d, same in zip(batch, known, strict=True) if not same}
        found.append(item_ids(document.item.id for document in batch))
    gone = np.setdiff1d(before.ids, np.concatenate(found)) if found else before.ids
    return Meanwhile(before, changed, frozenset(gone.tolist()))


def _copy(
    source: SearchEngine, target: SearchEngine, notes: Notes, before: Noted | None, progress: Progress
) -> ItemsMoved:
    """A whole version. What a run that was killed left of it is dropped."""
    version = str(source.serving_version())
    total = next(each.documents for each in source.versions() if each.name == version)
    if version in {each.name for each in target.versions()}:
        target.drop(version)
    target.create_index(version)  # from here on the target itself brings live changes into it
    meanwhile, noting, read, written = _meanwhile(target, before), Noting(version), 0, 0
    for batch in source.scan(version):
        noting.add(batch)
        written += _write(target, version, meanwhile.applied(batch))
        read += len(batch)
        progress(ITEMS, read, max(total, read))
    written += _write(target, version, meanwhile.added())
    notes.keep_coming(noting.noted())
    target.promote(version)
    notes.promoted()
    return ItemsMoved(version, written, 0, meanwhile.kept)


def _write(target: SearchEngine, version: str, documents: Sequence[Document]) -> int:
    report = target.write(version, documents) if documents else WriteReport(0)
    _refuse(report, target.name)
    return report.written


def _bring_changes(source: SearchEngine, target: SearchEngine, notes: Notes, before: Noted) -> ItemsMoved:
    """Items changed or deleted at the source since they were copied, into whatever serves at the target.

    A version that the target made since has learned more than the source has.
    """
    now, written, is_theirs = Noting(before.version), 0, target.serving_version() != before.version
    for batch in source.scan(before.version):
        now.add(batch)
        changed = [d for d, same in zip(batch, before.knows(batch), strict=True) if not same]
        if changed:
            report = target.upsert([_unlearned(d) for d in changed] if is_theirs else changed)
            _refuse(report, target.name)
            written += report.written
    after = now.noted()
    gone = [name.decode() for name in np.setdiff1d(before.ids, after.ids).tolist()]
    deleted = target.delete(gone)
    notes.keep_items(after)
    return ItemsMoved(str(target.serving_version()), written, deleted)


def _relearned(theirs: Document, ours: Document) -> Document:
    """Their item, with what the new version has learned of it."""
    learned = {name: v for name, v in ours.vectors.items() if VECTOR_FIELDS[name].learned}
    return Document(theirs.item, {**_unlearned(theirs).vectors, **learned}, ours.neighbours)


def _unlearned(document: Document) -> Document:
    own = {name: v for name, v in document.vectors.items() if not VECTOR_FIELDS[name].learned}
    return Document(document.item, own)


def _refuse(report: WriteReport, where: str) -> None:
    """One engine may hold what another refuses; then nothing is promoted."""
    if report.rejected:
        first = report.rejected[0]
        raise LoadRefused(
            f"{where} takes {len(report.rejected)} items not; the first is {first.id}: {first.reason}"
        )


def _events(batch: pa.RecordBatch) -> list[Event]:
    return [Event(**row) for row in batch.to_pylist()]

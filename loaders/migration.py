"""From one engine to another: items with what was learned of them, and events. Run again, it brings the rest.

What was copied is noted, each item by a digest. So a second run tells what has changed at the source since
from what has changed at the target, and touches only the former.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from index_mappings.engine import EventStore, SearchEngine, WriteReport
from index_mappings.errors import Conflict, NotFound
from index_mappings.event import Event
from index_mappings.item import Document
from index_mappings.match import ID_DTYPE, ItemIds, item_ids
from loaders.catalogue import LoadRefused
from ranking.progress import Progress

ITEMS, EVENTS = "copying items", "copying events"


@dataclass(frozen=True, slots=True)
class ItemsMoved:
    """What a run did: items written and deleted at the target, and the version that serves there."""

    version: str
    written: int
    deleted: int


@dataclass(frozen=True, slots=True, eq=False)
class Noted:
    """A version as it was copied: ids, sorted, and the digest of each document.

    replaces: what the target served then; it still does when a run ended before its promotion.
    """

    version: str
    ids: ItemIds
    digests: NDArray[np.uint64]
    replaces: str

    def knows(self, ids: ItemIds, digests: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of these documents were copied as they are now."""
        if not len(self.ids):
            return np.zeros(len(ids), np.bool_)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        known: NDArray[np.bool_] = (self.ids[places] == ids) & (self.digests[places] == digests)
        return known


class Notes:
    """In a directory: what was copied of the items, and how far the events were."""

    def __init__(self, directory: Path) -> None:
        self.items_path = directory / "migrated-items.npz"
        self.events_path = directory / "migrated-events.txt"
        directory.mkdir(parents=True, exist_ok=True)

    def items(self) -> Noted | None:
        if not self.items_path.exists():
            return None
        with np.load(self.items_path) as kept:
            return Noted(str(kept["version"]), kept["ids"], kept["digests"], str(kept["replaces"]))

    def keep_items(self, noted: Noted) -> None:
        new = self.items_path.with_suffix(".new.npz")
        np.savez(new, version=noted.version, ids=noted.ids, digests=noted.digests, replaces=noted.replaces)
        new.rename(self.items_path)

    def events(self) -> str | None:
        return self.events_path.read_text() if self.events_path.exists() else None

    def keep_events(self, position: str) -> None:
        new = self.events_path.with_suffix(".new")
        new.write_text(position)
        new.rename(self.events_path)


def move_items(source: SearchEngine, target: SearchEngine, notes: Notes, progress: Progress) -> ItemsMoved:
    """The version keeps its name, so its item table stays. Raises NotFound, Conflict, LoadRefused."""
    version, noted, serving = source.serving_version(), notes.items(), target.serving_version()
    if version is None:
        raise NotFound(f"no index version serves on the {source.name} engine: there is nothing to move")
    if serving is not None and (noted is None or serving not in (noted.version, noted.replaces)):
        raise Conflict(
            f"{target.name} serves {serving}, which was not moved there from the {source.name} engine; "
            "set another REELRANK_ENGINE_PREFIX, or leave it as it is"
        )
    if noted is not None and serving == version:
        return _bring_changes(source, target, notes, noted)
    return _copy(source, target, notes, progress)


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


def _copy(source: SearchEngine, target: SearchEngine, notes: Notes, progress: Progress) -> ItemsMoved:
    """A whole version. What a run that was killed left of it is dropped."""
    version = str(source.serving_version())
    there = {each.name: each.documents for each in source.versions()}
    if version in {each.name for each in target.versions()}:
        target.drop(version)
    target.create_index(version)
    noted, written = _Digests(version, target.serving_version() or ""), 0
    for batch in source.scan(version):
        report = target.write(version, batch)
        _refuse(report, target.name)
        written += report.written
        noted.add(batch)
        progress(ITEMS, written, max(there[version], written))
    notes.keep_items(noted.noted())
    target.promote(version)
    return ItemsMoved(version, written, 0)


def _bring_changes(source: SearchEngine, target: SearchEngine, notes: Notes, before: Noted) -> ItemsMoved:
    """Items changed or deleted at the source since they were copied."""
    now, written = _Digests(before.version, before.version), 0
    for batch in source.scan(before.version):
        known = before.knows(*now.add(batch))
        changed = [document for document, same in zip(batch, known, strict=True) if not same]
        if changed:
            report = target.upsert(changed)
            _refuse(report, target.name)
            written += report.written
    after = now.noted()
    gone = [name.decode() for name in np.setdiff1d(before.ids, after.ids).tolist()]
    deleted = target.delete(gone)
    notes.keep_items(after)
    return ItemsMoved(before.version, written, deleted)


class _Digests:
    def __init__(self, version: str, replaces: str) -> None:
        self._version = version
        self._replaces = replaces
        self._ids: list[ItemIds] = []
        self._digests: list[NDArray[np.uint64]] = []

    def add(self, batch: Sequence[Document]) -> tuple[ItemIds, NDArray[np.uint64]]:
        ids = item_ids(document.item.id for document in batch)
        digests = np.array([_digest(document) for document in batch], np.uint64)
        self._ids.append(ids)
        self._digests.append(digests)
        return ids, digests

    def noted(self) -> Noted:
        ids = np.concatenate(self._ids) if self._ids else np.empty(0, ID_DTYPE)
        digests = np.concatenate(self._digests) if self._digests else np.empty(0, np.uint64)
        order = np.argsort(ids)
        return Noted(self._version, ids[order], digests[order], self._replaces)


def _digest(document: Document) -> int:
    facts = [astuple(document.item), [(n.id, n.weight) for n in document.neighbours]]
    hashed = hashlib.blake2b(orjson.dumps(facts), digest_size=8)
    for name, vector in sorted(document.vectors.items()):
        hashed.update(name.encode() + np.asarray(vector, np.float32).tobytes())
    return int.from_bytes(hashed.digest())


def _refuse(report: WriteReport, where: str) -> None:
    """One engine may hold what another refuses; then nothing is promoted."""
    if report.rejected:
        first = report.rejected[0]
        raise LoadRefused(
            f"{where} takes {len(report.rejected)} items not; the first is {first.id}: {first.reason}"
        )


def _events(batch: pa.RecordBatch) -> list[Event]:
    return [Event(**row) for row in batch.to_pylist()]

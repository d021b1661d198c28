"""The ledger of a migration: digests of copied items, so that a later run detects changes on either side."""

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from reelrank.index_mappings.item import Document, Item
from reelrank.index_mappings.match import ID_DTYPE, ItemIds, encode_item_ids
from reelrank.ranking.durable import move, replace_file, write_file

Digests = NDArray[np.uint64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class CopySnapshot:
    """A copied version of the source: sorted ids, with a digest of each item and of each whole document."""

    version: str
    ids: ItemIds
    items: Digests
    documents: Digests

    def match_items(self, documents: Sequence[Document]) -> Mask:
        """Returns which documents have an unchanged item, ignoring learned fields."""
        return self._match_digests(
            documents, self.items, [_digest_item(document.item) for document in documents]
        )

    def match_documents(self, documents: Sequence[Document]) -> Mask:
        """Returns which documents are unchanged, including learned fields."""
        return self._match_digests(
            documents, self.documents, [_digest_document(document) for document in documents]
        )

    def _match_digests(self, documents: Sequence[Document], copied: Digests, current: list[int]) -> Mask:
        if not len(self.ids):
            return np.zeros(len(documents), np.bool_)
        ids = encode_item_ids(document.item.id for document in documents)
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        unchanged: Mask = (self.ids[rows] == ids) & (copied[rows] == np.array(current, np.uint64))
        return unchanged


class SnapshotBuilder:
    """Builds the snapshot of a version batch by batch."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._ids = [np.empty(0, ID_DTYPE)]
        self._items = [np.empty(0, np.uint64)]
        self._documents = [np.empty(0, np.uint64)]

    def add(self, batch: Sequence[Document]) -> None:
        self._ids.append(encode_item_ids(document.item.id for document in batch))
        self._items.append(np.array([_digest_item(document.item) for document in batch], np.uint64))
        self._documents.append(np.array([_digest_document(document) for document in batch], np.uint64))

    def build(self) -> CopySnapshot:
        ids, items, documents = map(np.concatenate, (self._ids, self._items, self._documents))
        order = np.argsort(ids)
        return CopySnapshot(self.version, ids[order], items[order], documents[order])


class MigrationLedger:
    """Stores the snapshot of the copied items and the position up to which events were copied."""

    def __init__(self, directory: Path) -> None:
        self.items_path = directory / "migrated-items.npz"
        self.staged_path = directory / "migrated-items-coming.npz"
        self.events_path = directory / "migrated-events.txt"
        directory.mkdir(parents=True, exist_ok=True)

    def read_items(self, serving_version: str | None) -> CopySnapshot | None:
        """Returns the snapshot of the last copied version.

        serving_version: of the target. If it is the staged snapshot's, a run was killed between
        promotion and commit; the snapshot is committed now.
        """
        staged = _read_snapshot(self.staged_path)
        if staged is not None and staged.version == serving_version:
            self.commit_snapshot()
        return _read_snapshot(self.items_path)

    def write_items(self, snapshot: CopySnapshot) -> None:
        self.stage_snapshot(snapshot)
        self.commit_snapshot()

    def stage_snapshot(self, snapshot: CopySnapshot) -> None:
        """Writes the snapshot of a version before it is promoted; the previous one stays until the commit."""
        with replace_file(self.staged_path) as temporary:
            np.savez(
                temporary,
                version=snapshot.version,
                ids=snapshot.ids,
                items=snapshot.items,
                documents=snapshot.documents,
            )

    def commit_snapshot(self) -> None:
        move(self.staged_path, self.items_path)

    def read_event_position(self) -> str | None:
        return self.events_path.read_text() if self.events_path.exists() else None

    def write_event_position(self, position: str) -> None:
        write_file(self.events_path, position)


def _read_snapshot(path: Path) -> CopySnapshot | None:
    if not path.exists():
        return None
    with np.load(path) as arrays:
        return CopySnapshot(str(arrays["version"]), arrays["ids"], arrays["items"], arrays["documents"])


def _digest_item(item: Item) -> int:
    hashed = hashlib.blake2b(orjson.dumps(astuple(item)), digest_size=8)
    return int.from_bytes(hashed.digest())


def _digest_document(document: Document) -> int:
    content = [astuple(document.item), [(n.id, n.weight) for n in document.neighbours]]
    hashed = hashlib.blake2b(orjson.dumps(content), digest_size=8)
    for name, vector in sorted(document.vectors.items()):
        hashed.update(name.encode() + np.asarray(vector, np.float32).tobytes())
    return int.from_bytes(hashed.digest())

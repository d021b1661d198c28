"""Erasures on disk: those in progress, which name their viewer, and the receipts, which do not."""

import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import orjson
from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from reelrank.index_mappings.errors import NotFound, Unavailable
from reelrank.ranking.durable import remove_leftovers, write_file

PENDING, RECEIPTS = "pending", "receipts"
LOCK_TIMEOUT_S = 10.0
MAX_RECEIPTS = 10_000
DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True)
class PendingErasure:
    """An erasure in progress. removed: place to how many records were removed so far."""

    id: str
    user: str
    requested_at: datetime
    removed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What was removed where, without the viewer. finished_at: None while it runs."""

    id: str
    status: Literal["running", "finished"]
    requested_at: datetime
    finished_at: datetime | None
    removed: Mapping[str, int]


PENDING_TYPE, RECEIPT_TYPE = TypeAdapter(PendingErasure), TypeAdapter(ErasureReceipt)


class ErasureJournal:
    """The files of one data directory. An erasure counts from the moment `begin` returns."""

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._now = now

    def begin(self, user: str) -> PendingErasure:
        """Writes an erasure, or returns the one of this viewer that is in progress. Raises Unavailable."""
        with self._open_for_change():
            for pending in self.list_pending():
                if pending.user == user:
                    return pending
            pending = PendingErasure(secrets.token_hex(8), user, self._now())
            self._write(pending)
            return pending

    def list_pending(self) -> list[PendingErasure]:
        """Returns the erasures in progress, the oldest first. Raises Unavailable for a damaged file."""
        found = [self._read_pending(path) for path in self._directory.glob(f"{PENDING}/*.json")]
        return sorted((one for one in found if one is not None), key=lambda one: one.requested_at)

    def add(self, pending: PendingErasure, removed: Mapping[str, int]) -> None:
        """Records what was removed, durable when it returns."""
        pending.removed.update(removed)
        with self._open_for_change():
            if self._name(PENDING, pending.id).exists():
                self._write(pending)

    def finish(self, pending: PendingErasure) -> ErasureReceipt:
        """Writes the receipt, and removes what names the viewer."""
        receipt = _build_receipt(pending, self._now())
        with self._open_for_change():
            write_file(self._name(RECEIPTS, pending.id), RECEIPT_TYPE.dump_json(receipt))
            self._name(PENDING, pending.id).unlink(missing_ok=True)
            remove_leftovers(self._directory / PENDING, 0)
            for path in sorted(self._directory.glob(f"{RECEIPTS}/*.json"), key=_read_age)[:-MAX_RECEIPTS]:
                path.unlink(missing_ok=True)
        return receipt

    def find_receipt(self, erasure_id: str) -> ErasureReceipt:
        """Returns the receipt of an erasure, also while it runs. Raises NotFound."""
        if erasure_id.isalnum() and erasure_id.isascii():
            path = self._name(RECEIPTS, erasure_id)
            if path.exists():
                return RECEIPT_TYPE.validate_json(path.read_bytes())
            if pending := self._read_pending(self._name(PENDING, erasure_id)):
                return _build_receipt(pending, None)
        raise NotFound(f"there is no erasure {erasure_id[:40]!r}", code="erasure_unknown")

    def lock_run(self) -> FileLock:
        """Returns the lock of the process that finishes erasures, which does not wait."""
        self._directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        return FileLock(self._directory / "run.lock", timeout=0)

    def _read_pending(self, path: Path) -> PendingErasure | None:
        try:
            return PENDING_TYPE.validate_json(path.read_bytes())
        except FileNotFoundError:  # it is finished
            return None
        except ValidationError as error:  # its message would quote the viewer
            raise Unavailable(f"{path} is damaged: erase this viewer again", code="storage_failed") from error

    def _write(self, pending: PendingErasure) -> None:
        write_file(self._name(PENDING, pending.id), orjson.dumps(pending))

    def _name(self, folder: str, erasure_id: str) -> Path:
        return self._directory / folder / f"{erasure_id}.json"

    def _open_for_change(self) -> AbstractContextManager[object]:
        try:
            self._directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            return FileLock(self._directory / "journal.lock", timeout=LOCK_TIMEOUT_S).acquire()
        except OSError as error:
            raise Unavailable(
                f"{self._directory}: {error.strerror or error}", code="storage_failed"
            ) from error


def _build_receipt(pending: PendingErasure, finished_at: datetime | None) -> ErasureReceipt:
    status: Literal["running", "finished"] = "running" if finished_at is None else "finished"
    return ErasureReceipt(pending.id, status, pending.requested_at, finished_at, dict(pending.removed))


def _read_age(path: Path) -> float:
    return path.stat().st_mtime

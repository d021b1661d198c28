"""The audit log: who called what with the scope `admin`, and with which result. One JSON object a line."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import orjson
from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from reelrank.app.access.key_store import DIRECTORY_MODE, FILE_MODE, LOCK_TIMEOUT_S, KeyFileError
from reelrank.ranking.durable import append_line

AUDIT_FILE = "audit.jsonl"
MAX_BYTES, KEPT_FILES = 5_000_000, 5
"""25 MB in all: more than 100,000 calls."""
COMMAND_LINE = "command-line"
"""The key id of a call from the command line, which needs no key."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One call. result: the status of the answer, or `done` from the command line."""

    at: datetime
    key_id: str
    call: str
    result: str
    client: str = ""
    request_id: str = ""


ENTRY = TypeAdapter(AuditEntry)


class AuditLog:
    """Appends entries durably. Several processes may write; a full file is renamed and the oldest removed."""

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        self.path = directory / AUDIT_FILE
        self._now = now
        self._lock = FileLock(directory / "audit.lock", timeout=LOCK_TIMEOUT_S, mode=FILE_MODE)

    def record(self, key_id: str, call: str, result: str, client: str = "", request_id: str = "") -> None:
        """Appends one entry, durable when it returns. Raises KeyFileError."""
        entry = AuditEntry(self._now(), key_id, call[:300], result, client, request_id)
        try:
            self.path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            with self._lock:
                if self.path.exists() and self.path.stat().st_size >= MAX_BYTES:
                    self._rotate()
                self.path.touch(mode=FILE_MODE)
                append_line(self.path, orjson.dumps(asdict(entry)))
        except OSError as error:
            raise KeyFileError(f"{self.path}: {error.strerror or error}") from error

    def read(self, limit: int) -> list[AuditEntry]:
        """Reads the latest entries, the newest first. Lines that a killed writer cut are left out."""
        entries = list[AuditEntry]()
        for number in range(KEPT_FILES):
            entries += self._read_file(self._name(number))
            if len(entries) >= limit:
                break
        return entries[:limit]

    def _read_file(self, path: Path) -> list[AuditEntry]:
        if not path.exists():
            return []
        lines = path.read_bytes().splitlines()
        return [entry for line in reversed(lines) for entry in _parse_entry(line)]

    def _rotate(self) -> None:
        for number in range(KEPT_FILES - 1, 0, -1):
            if (source := self._name(number - 1)).exists():
                source.replace(self._name(number))

    def _name(self, number: int) -> Path:
        return self.path if number == 0 else self.path.with_name(f"audit.{number}.jsonl")


def _parse_entry(line: bytes) -> Iterator[AuditEntry]:
    try:
        yield ENTRY.validate_json(line)
    except ValidationError:
        return

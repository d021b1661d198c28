"""The file of rejected rows: JSON lines of file, row, reason and the row itself."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from loaders.rows import Reject


@dataclass(slots=True)
class RejectFile:
    """Made at the first reject. size: bytes that are durable. first: the first reject, for a message."""

    path: Path
    size: int = 0
    first: Reject | None = None
    _open: BinaryIO | None = None

    def add(self, rejects: Sequence[Reject]) -> None:
        """Durable when it returns."""
        if not rejects:
            return
        if self._open is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._open = self.path.open("r+b" if self.path.exists() else "w+b")
            self._open.truncate(self.size)  # what a killed load wrote and did not account for
            self._open.seek(self.size)
        self.first = self.first or rejects[0]
        self._open.writelines(_line(reject) for reject in rejects)
        self._open.flush()
        os.fsync(self._open.fileno())
        self.size = self._open.tell()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        elif self.path.exists() and self.path.stat().st_size > self.size:
            os.truncate(self.path, self.size)


@contextmanager
def reject_file(path: Path, size: int = 0) -> Iterator[RejectFile]:
    """Goes on after the first `size` bytes of what is there."""
    rejects = RejectFile(path, size)
    try:
        yield rejects
    finally:
        rejects.close()


def _line(reject: Reject) -> bytes:
    facts = {"file": reject.file, "row": reject.row, "reason": reject.reason, "record": reject.record}
    return orjson.dumps(facts, default=_plain, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def _plain(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

"""The file of rejected rows: JSON lines of file, row, reason and the row itself."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from reelrank.loaders.files.rows import Reject


@dataclass(slots=True)
class RejectFile:
    """Made at the first reject. size: bytes that are durable. first: the first reject, for a message."""

    path: Path
    size: int = 0
    first: Reject | None = None
    _file: BinaryIO | None = None

    def add(self, rejects: Sequence[Reject]) -> None:
        """Durable when it returns."""
        if not rejects:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("r+b" if self.path.exists() else "w+b")
            self._file.truncate(self.size)  # what a killed load wrote and did not account for
            self._file.seek(self.size)
        self.first = self.first or rejects[0]
        self._file.writelines(_to_line(reject) for reject in rejects)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.size = self._file.tell()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        elif self.path.exists() and self.path.stat().st_size > self.size:
            os.truncate(self.path, self.size)


@contextmanager
def open_reject_file(path: Path, size: int = 0) -> Iterator[RejectFile]:
    """Goes on after the first `size` bytes of what is there."""
    rejects = RejectFile(path, size)
    try:
        yield rejects
    finally:
        rejects.close()


def _to_line(reject: Reject) -> bytes:
    facts = {"file": reject.file, "row": reject.row, "reason": reject.reason, "record": reject.record}
    return orjson.dumps(
        facts, default=_to_json_value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    )


def _to_json_value(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

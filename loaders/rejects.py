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
    """A reject file, created at the first reject.

    size: bytes of it that are durable. first: the first reject, for messages.
    """

    path: Path
    size: int = 0
    first: Reject | None = None
    _file: BinaryIO | None = None

    def add(self, rejects: Sequence[Reject]) -> None:
        """Appends rejects; they are durable when this returns."""
        if not rejects:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("r+b" if self.path.exists() else "w+b")
            self._file.truncate(self.size)  # drop what a killed load wrote after its last journal entry
            self._file.seek(self.size)
        self.first = self.first or rejects[0]
        self._file.writelines(_to_line(reject) for reject in rejects)
        self._file.flush()
        os.fsync(self._file.fileno())  # noqa: TID251  # appends to an open file
        self.size = self._file.tell()

    def close(self) -> None:
        """Closes the file, and cuts it to `size` if nothing was added."""
        if self._file is not None:
            self._file.close()
        elif self.path.exists() and self.path.stat().st_size > self.size:
            os.truncate(self.path, self.size)


@contextmanager
def open_reject_file(path: Path, size: int = 0) -> Iterator[RejectFile]:
    """Opens a reject file for appending after its first `size` bytes."""
    rejects = RejectFile(path, size)
    try:
        yield rejects
    finally:
        rejects.close()


def _to_line(reject: Reject) -> bytes:
    line = {"file": reject.file, "row": reject.row, "reason": reject.reason, "record": reject.record}
    return orjson.dumps(
        line, default=_to_json_value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    )


def _to_json_value(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

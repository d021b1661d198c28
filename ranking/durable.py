"""Writes files and directories so that a crash or power cut leaves the old content or the new, never a part.

Each write goes to a temporary name beside the target, is flushed to the disk (fsync) and renamed. Temporary
names begin with `.tmp-`: readers ignore them, and later writes to the same directory remove old ones.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY_PREFIX = ".tmp-"
READ_BYTES = 2**24
LEFTOVER_AGE_S = 86_400.0
"""A temporary that has not changed for a day belongs to a killed writer: no write pauses for that long."""


def write_file(path: Path, content: bytes | str) -> None:
    """Replaces the content of a file. A string is written as UTF-8."""
    with replace_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path to write, with the suffix of `path`; on success rename it to `path`."""
    temporary = _prepare(path)
    try:
        yield temporary
        sync_file(temporary)
        move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def create_directory(path: Path) -> Iterator[Path]:
    """Yields an empty temporary directory to fill; on success rename it to `path`.

    Raises OSError when `path` is a directory that is not empty.
    """
    with _fill_directory(path) as temporary:
        yield temporary
        _sync_tree(temporary)
        move(temporary, path)


@contextmanager
def replace_directory(path: Path) -> Iterator[Path]:
    """Yields an empty temporary directory to fill; on success it takes the place of the one at `path`.

    A directory cannot be renamed over another, so the old one is renamed first. A kill between the two
    renames leaves no directory at `path`: use this for data that can be built again.
    """
    with _fill_directory(path) as temporary:
        yield temporary
        _sync_tree(temporary)
        old = _name_temporary(path)
        with suppress(FileNotFoundError):
            path.rename(old)
        move(temporary, path)
        shutil.rmtree(old, ignore_errors=True)


def move(source: Path, target: Path) -> None:
    """Renames over a file that has the target's name, and makes the new name durable."""
    source.replace(target)
    sync_file(target.parent)


def append_line(path: Path, line: bytes) -> None:
    """Appends a line, durable when this returns. It begins a new line after one that a kill cut."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line + b"\n")
    sync_file(path)


def file_contains(path: Path, content: bytes) -> bool:
    """Returns whether these bytes stand anywhere in a file, read in bounded memory. Empty bytes do not."""
    tail = b""
    with path.open("rb") as file:
        while content and (block := file.read(READ_BYTES)):
            if content in tail + block:
                return True
            tail = (tail + block)[-len(content) + 1 :] if len(content) > 1 else b""
    return False


def remove_leftovers(directory: Path, min_age_s: float = LEFTOVER_AGE_S) -> None:
    """Removes temporaries of killed writers. Pass a `min_age_s` of 0 only while no one else writes there."""
    for path in directory.glob(f"{TEMPORARY_PREFIX}*"):
        with suppress(OSError):  # another process may remove it too
            if compute_age_s(path) < min_age_s:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def compute_age_s(path: Path) -> float:
    """Returns the seconds since a file was last changed or touched. Raises FileNotFoundError."""
    return time.time() - path.stat().st_mtime


@contextmanager
def _fill_directory(path: Path) -> Iterator[Path]:
    temporary = _prepare(path)
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _prepare(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent)
    return _name_temporary(path)


def _name_temporary(path: Path) -> Path:
    return path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{path.name}")


def _sync_tree(directory: Path) -> None:
    for folder, _, names in os.walk(directory):
        for name in names:
            sync_file(Path(folder, name))
        sync_file(Path(folder))


def sync_file(path: Path) -> None:
    """Flushes a file or directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # noqa: TID251  # this is the module
    finally:
        os.close(descriptor)

"""Rejected rows of loads, which hold a row as it was in its file: those of a viewer, and old files."""

import re
from pathlib import Path

import orjson

from reelrank.ranking.durable import replace_file


def erase_from_rejects(directory: Path, user: str) -> int:
    """Removes the rejected rows in which the id of a viewer stands as a word; returns how many."""
    texts = {user, orjson.dumps(user)[1:-1].decode()}
    pattern = re.compile(
        "|".join(rf"(?<![\w-]){re.escape(text)}(?![\w-])" for text in sorted(texts)).encode()
    )
    return sum(_erase_lines(path, pattern) for path in _list_files(directory))


def remove_old_rejects(directory: Path, keep_days: float, now_s: float) -> list[Path]:
    """Removes files of rejected rows that did not change for keep_days; returns them."""
    old = [path for path in _list_files(directory) if now_s - path.stat().st_mtime > keep_days * 86_400]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def _list_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.jsonl")) if directory.is_dir() else []


def _erase_lines(path: Path, pattern: re.Pattern[bytes]) -> int:
    with path.open("rb") as lines:
        erased = sum(pattern.search(line) is not None for line in lines)
    if erased:
        with replace_file(path) as temporary, path.open("rb") as lines, temporary.open("wb") as kept:
            kept.writelines(line for line in lines if pattern.search(line) is None)
    return erased

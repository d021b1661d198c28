"""Files derived from the database: a text index and segments for each version."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reelrank.app.engines.embedded.segments.files import (
    build_segment,
    list_segments,
    open_newest_segment,
    open_segment,
)
from reelrank.app.engines.embedded.segments.segment import Segment
from reelrank.app.engines.embedded.store.database import Database, read_last_seq
from reelrank.app.engines.embedded.store.lock import acquire_lock
from reelrank.app.engines.embedded.text.text_index import Change, DamagedTextIndex, TextIndex, open_or_reset

BUILD_WAIT_S = 3600.0
"""How long to wait for another process that builds a version: minutes with a million items."""
MIN_COMPACT_CHANGES = 2_000
MIN_COMPACT_SHARE = 0.01
"""Live changes are merged into a new segment once both limits are reached: until then every kNN search scans
them in addition to the segment."""


def has_no_more_changes() -> bool:
    """Says that no further changes will follow those in the database."""
    return False


class DerivedIndexes:
    """Derived files in one directory. Text index and segments of a version have separate locks."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.directory = database.directory

    def open_text_index(self, version: str) -> TextIndex:
        """Opens the text index of a version; applies missing changes first, also for readers."""
        try:
            index = TextIndex(self.directory / "words" / version)
        except DamagedTextIndex:
            return self.index_through(version)
        is_current = index.seq >= read_last_seq(self.database.connect(), version)
        return index if is_current else self.index_through(version)

    def count_unindexed(self, version: str) -> int:
        """Counts the changes that the text index of a version lacks."""
        try:
            return self._count_changes_since(version, TextIndex(self.directory / "words" / version).seq)
        except DamagedTextIndex:
            return self._count_changes_since(version, 0)

    def index_through(
        self, version: str, wait_s: float = BUILD_WAIT_S, has_more: Callable[[], bool] = has_no_more_changes
    ) -> TextIndex:
        """Applies all changes to the text index, and later ones while `has_more`.

        Raises Conflict when another process holds its lock for `wait_s` seconds.
        """
        with acquire_lock(self.directory / "locks" / f"{version}.words", wait_s):
            index = open_or_reset(self.directory / "words" / version)
            if index.seq < read_last_seq(self.database.connect(), version):
                index.apply(self._scan_changes(version, index.seq, has_more))
            return index

    def _scan_changes(self, version: str, after_seq: int, has_more: Callable[[], bool]) -> Iterator[Change]:
        """Yields changes. Call `has_more` before each scan, so that the last scan sees all writes."""
        connection, more = self.database.connect(), True
        select = """select seq, row, id, iif(deleted, null, body) from documents
                     where version = ? and seq > ? order by seq"""
        while more:
            more = has_more()
            for change in connection.execute(select, (version, after_seq)):
                yield change
                after_seq = change[0]

    def load_segment(self, version: str) -> Segment:
        """Opens the newest intact segment of a version; builds one if there is none."""
        directory = self.get_segment_directory(version)
        segment = open_newest_segment(directory)
        if segment is None:
            with acquire_lock(self.directory / "locks" / f"{version}.segments", BUILD_WAIT_S):
                segment = open_newest_segment(directory)
                if segment is None:
                    build_segment(self.database.connect(), version, directory)
                    segment = open_segment(list_segments(directory)[0])
        return segment

    def compact(self, version: str, wait_s: float = BUILD_WAIT_S) -> None:
        """Builds a segment with every change so far. Raises Conflict as `index_through` does."""
        directory, connection = self.get_segment_directory(version), self.database.connect()
        with acquire_lock(self.directory / "locks" / f"{version}.segments", wait_s):
            newest = open_newest_segment(directory)
            if newest is None or newest.seq < read_last_seq(connection, version):
                build_segment(connection, version, directory)

    def ensure_segment(self, version: str) -> None:
        """Builds a segment if there is none, or if enough has changed since the newest."""
        if not list_segments(self.get_segment_directory(version)) or self.needs_compaction(version):
            self.compact(version)

    def needs_compaction(self, version: str) -> bool:
        """Returns whether enough has changed since the newest segment to build a new one."""
        newest = next(iter(list_segments(self.get_segment_directory(version))), None)
        if newest is None:
            return False
        changed = self._count_changes_since(version, int(newest.name))
        return changed >= MIN_COMPACT_CHANGES and changed >= MIN_COMPACT_SHARE * self._count_changes_since(
            version, 0
        )

    def _count_changes_since(self, version: str, seq: int) -> int:
        select = "select count(*) from documents where version = ? and seq > ?"
        return int(self.database.connect().execute(select, (version, seq)).fetchone()[0])

    def get_segment_directory(self, version: str) -> Path:
        return self.directory / "segments" / version

    def remove_all_but(self, versions: Iterable[str]) -> None:
        """Removes the files of all other versions, including leftovers of killed processes."""
        names = set(versions)
        for kind in ("words", "segments"):
            for path in (self.directory / kind).glob("*"):
                if path.name not in names:
                    shutil.rmtree(path, ignore_errors=True)

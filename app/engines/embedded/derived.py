"""What is derived of the truth and kept beside it: words and segments of each version."""

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
"""Whoever needs a version that another process builds waits for it; at a million items that is minutes."""
MIN_COMPACT_CHANGES = 2_000
MIN_COMPACT_SHARE = 0.01
"""Live changes are folded into a new segment when there are so many, and so many of the documents: until
then each kNN scans them beside the segment."""


def has_no_more_changes() -> bool:
    """What the truth holds now is all there is."""
    return False


class DerivedIndexes:
    """Files of one directory. Words and segments of a version each have their own lock."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.directory = database.directory

    def open_text_index(self, version: str) -> TextIndex:
        """The words of a version, brought up to the truth when they are behind; readers may do so too."""
        try:
            words = TextIndex(self.directory / "words" / version)
        except DamagedTextIndex:
            return self.index_through(version)
        return (
            words
            if words.seq >= read_last_seq(self.database.connect(), version)
            else self.index_through(version)
        )

    def count_unindexed(self, version: str) -> int:
        """Changes that the words of a version do not hold yet."""
        try:
            return self._count_changes_since(version, TextIndex(self.directory / "words" / version).seq)
        except DamagedTextIndex:
            return self._count_changes_since(version, 0)

    def index_through(
        self, version: str, wait_s: float = BUILD_WAIT_S, has_more: Callable[[], bool] = has_no_more_changes
    ) -> TextIndex:
        """Brings the words up to the truth, and follows it while writing goes on.

        Raises Conflict when another one does it for `wait_s` seconds.
        """
        with acquire_lock(self.directory / "locks" / f"{version}.words", wait_s):
            words = open_or_reset(self.directory / "words" / version)
            if words.seq < read_last_seq(self.database.connect(), version):
                words.apply(self._scan_changes(version, words.seq, has_more))
            return words

    def _scan_changes(self, version: str, after_seq: int, has_more: Callable[[], bool]) -> Iterator[Change]:
        """Asked first whether writing goes on, so that the last look is after the last write."""
        connection, going_on = self.database.connect(), True
        select = """select seq, row, id, iif(deleted, null, body) from documents
                     where version = ? and seq > ? order by seq"""
        while going_on:
            going_on = has_more()
            for change in connection.execute(select, (version, after_seq)):
                yield change
                after_seq = change[0]

    def load_segment(self, version: str) -> Segment:
        """The newest segment of a version; built when there is none that is whole."""
        directory = self.segment_directory(version)
        segment = open_newest_segment(directory)
        if segment is None:
            with acquire_lock(self.directory / "locks" / f"{version}.segments", BUILD_WAIT_S):
                segment = open_newest_segment(directory)
                if segment is None:
                    build_segment(self.database.connect(), version, directory)
                    segment = open_segment(list_segments(directory)[0])
        return segment

    def compact(self, version: str, wait_s: float = BUILD_WAIT_S) -> None:
        """Makes a segment that holds every change so far, unless there is one. Conflict as in `cover`."""
        directory, connection = self.segment_directory(version), self.database.connect()
        with acquire_lock(self.directory / "locks" / f"{version}.segments", wait_s):
            newest = open_newest_segment(directory)
            if newest is None or newest.seq < read_last_seq(connection, version):
                build_segment(connection, version, directory)

    def ensure_segment(self, version: str) -> None:
        """Makes a segment where there is none, or where what has changed since is worth a new one."""
        if not list_segments(self.segment_directory(version)) or self.needs_compaction(version):
            self.compact(version)

    def needs_compaction(self, version: str) -> bool:
        """Whether so much has changed since the segment that a new one is worth its making."""
        newest = next(iter(list_segments(self.segment_directory(version))), None)
        if newest is None:
            return False
        changed = self._count_changes_since(version, int(newest.name))
        return changed >= MIN_COMPACT_CHANGES and changed >= MIN_COMPACT_SHARE * self._count_changes_since(
            version, 0
        )

    def _count_changes_since(self, version: str, seq: int) -> int:
        counted = "select count(*) from documents where version = ? and seq > ?"
        return int(self.database.connect().execute(counted, (version, seq)).fetchone()[0])

    def segment_directory(self, version: str) -> Path:
        return self.directory / "segments" / version

    def remove_all_but(self, versions: Iterable[str]) -> None:
        """Also what a killed process left of versions that were dropped."""
        keep = set(versions)
        for kind in ("words", "segments"):
            for path in (self.directory / kind).glob("*"):
                if path.name not in keep:
                    shutil.rmtree(path, ignore_errors=True)

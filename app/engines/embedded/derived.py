"""What is derived of the truth and kept beside it: words and segments of each version."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from app.engines.embedded.database import Database, last_seq
from app.engines.embedded.lock import exclusive
from app.engines.embedded.segment import Segment
from app.engines.embedded.segment_files import build_segment, open_newest, open_segment, segments_in
from app.engines.embedded.text_index import Change, DamagedWords, TextIndex, mended

BUILD_WAIT_S = 3600.0
"""Whoever needs a version that another process builds waits for it; at a million items that is minutes."""
COMPACT_FROM = 2_000
COMPACT_SHARE = 0.01
"""Live changes are folded into a new segment when there are so many, and so many of the documents: until
then each kNN scans them beside the segment."""


def written_already() -> bool:
    """What the truth holds now is all there is."""
    return False


class Derived:
    """Files of one directory. Words and segments of a version each have their own lock."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.directory = database.directory

    def words(self, version: str) -> TextIndex:
        """The words of a version, brought up to the truth when they are behind; readers may do so too."""
        try:
            words = TextIndex(self.directory / "words" / version)
        except DamagedWords:
            return self.cover(version)
        return words if words.seq >= last_seq(self.database.connection(), version) else self.cover(version)

    def uncovered(self, version: str) -> int:
        """Changes that the words of a version do not hold yet."""
        try:
            return self._changed_since(version, TextIndex(self.directory / "words" / version).seq)
        except DamagedWords:
            return self._changed_since(version, 0)

    def cover(
        self, version: str, wait_s: float = BUILD_WAIT_S, goes_on: Callable[[], bool] = written_already
    ) -> TextIndex:
        """Brings the words up to the truth, and follows it while writing goes on.

        Raises Conflict when another one does it for `wait_s` seconds.
        """
        with exclusive(self.directory / "locks" / f"{version}.words", wait_s):
            words = mended(self.directory / "words" / version)
            if words.seq < last_seq(self.database.connection(), version):
                words.apply(self._changes(version, words.seq, goes_on))
            return words

    def _changes(self, version: str, after: int, goes_on: Callable[[], bool]) -> Iterator[Change]:
        """Asked first whether writing goes on, so that the last look is after the last write."""
        connection, going_on = self.database.connection(), True
        select = """select seq, row, id, iif(deleted, null, body) from documents
                     where version = ? and seq > ? order by seq"""
        while going_on:
            going_on = goes_on()
            for change in connection.execute(select, (version, after)):
                yield change
                after = change[0]

    def segment(self, version: str) -> Segment:
        """The newest segment of a version; built when there is none that is whole."""
        directory = self.segments(version)
        segment = open_newest(directory)
        if segment is None:
            with exclusive(self.directory / "locks" / f"{version}.segments", BUILD_WAIT_S):
                segment = open_newest(directory)
                if segment is None:
                    build_segment(self.database.connection(), version, directory)
                    segment = open_segment(segments_in(directory)[0])
        return segment

    def compact(self, version: str, wait_s: float = BUILD_WAIT_S) -> None:
        """Makes a segment that holds every change so far, unless there is one. Conflict as in `cover`."""
        directory, connection = self.segments(version), self.database.connection()
        with exclusive(self.directory / "locks" / f"{version}.segments", wait_s):
            newest = open_newest(directory)
            if newest is None or newest.seq < last_seq(connection, version):
                build_segment(connection, version, directory)

    def ready_segment(self, version: str) -> None:
        """Makes a segment where there is none, or where what has changed since is worth a new one."""
        if not segments_in(self.segments(version)) or self.wants_compaction(version):
            self.compact(version)

    def wants_compaction(self, version: str) -> bool:
        """Whether so much has changed since the segment that a new one is worth its making."""
        newest = next(iter(segments_in(self.segments(version))), None)
        if newest is None:
            return False
        changed = self._changed_since(version, int(newest.name))
        return changed >= COMPACT_FROM and changed >= COMPACT_SHARE * self._changed_since(version, 0)

    def _changed_since(self, version: str, seq: int) -> int:
        counted = "select count(*) from documents where version = ? and seq > ?"
        return int(self.database.connection().execute(counted, (version, seq)).fetchone()[0])

    def segments(self, version: str) -> Path:
        return self.directory / "segments" / version

    def remove_all_but(self, versions: Iterable[str]) -> None:
        """Also what a killed process left of versions that were dropped."""
        keep = set(versions)
        for kind in ("words", "segments"):
            for path in (self.directory / kind).glob("*"):
                if path.name not in keep:
                    shutil.rmtree(path, ignore_errors=True)

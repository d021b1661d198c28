"""What answers in this process now: looked at again when the truth may have changed."""

import threading
import time
from dataclasses import dataclass

from app.engines.embedded.database import last_seq, reading
from app.engines.embedded.derived import Derived
from app.engines.embedded.documents import COLUMNS
from app.engines.embedded.segment_files import segments_in
from app.engines.embedded.snapshot import Snapshot, snapshot_of
from app.engines.embedded.text_index import TextIndex
from index_mappings.errors import Conflict, Unavailable

REFRESH_S = 0.5
"""A change made by another process is looked for at most this often."""
MAX_LAYERS = 8
"""Above that many the changes since the segment are read again into one layer."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A snapshot, and the words as of the change they covered when they were last reloaded."""

    snapshot: Snapshot
    words: TextIndex
    words_seq: int


class Serving:
    """One for each process; its views are shared by the threads. Opens nothing until it is asked."""

    def __init__(self, derived: Derived) -> None:
        self.derived = derived
        self._view: View | None = None
        self._looked_at = -REFRESH_S
        self._looking = threading.Lock()

    def name(self) -> str | None:
        """The serving version."""
        connection = self.derived.database.connection()
        row = connection.execute("select name from versions where serving").fetchone()
        return None if row is None else str(row[0])

    def existing_name(self) -> str:
        """The serving version. Raises Unavailable when there is none."""
        name = self.name()
        if name is None:
            raise Unavailable(f"no index version serves in {self.derived.directory}; load items first")
        return name

    def view(self) -> View:
        """What answers, at most REFRESH_S behind the truth. Raises Unavailable when no version serves."""
        view = self._view
        if view is not None and time.monotonic() - self._looked_at < REFRESH_S:
            return view
        with self._looking:
            if self._view is None or time.monotonic() - self._looked_at >= REFRESH_S:
                looked_at = time.monotonic()
                self._view = self._refreshed(self._view)
                self._looked_at = looked_at
            return self._view

    def look_again(self) -> None:
        """The next answer holds what this process has just written."""
        self._looked_at = -REFRESH_S

    def close(self) -> None:
        self._view = None

    def _refreshed(self, view: View | None) -> View:
        version = self.existing_name()
        if view is None or view.snapshot.version != version:
            words = self.derived.words(version)
            words_seq = words.seq
            words.reload()
            return View(self._changed(snapshot_of(version, self.derived.segment(version))), words, words_seq)
        snapshot = self._changed(self._compacted(view.snapshot))
        words_seq = view.words.seq
        if words_seq < snapshot.seq:
            words_seq = self._mended(view.words, version)
        if words_seq != view.words_seq:
            view.words.reload()
        return View(snapshot, view.words, words_seq)

    def _compacted(self, snapshot: Snapshot) -> Snapshot:
        """From the newer segment, if somebody has made one; in one layer of changes when there are many."""
        newest = next(iter(segments_in(self.derived.segments(snapshot.version))), None)
        if newest is not None and int(newest.name) > snapshot.covered:
            return snapshot_of(snapshot.version, self.derived.segment(snapshot.version))
        if len(snapshot.layers) > MAX_LAYERS:
            return snapshot_of(snapshot.version, snapshot.layers[0].segment)
        return snapshot

    def _changed(self, snapshot: Snapshot) -> Snapshot:
        """With the changes that came after it."""
        connection, version = self.derived.database.connection(), snapshot.version
        if last_seq(connection, version) == snapshot.seq:
            return snapshot
        with reading(connection):
            select = f"select {COLUMNS} from documents where version = ? and seq > ?"
            changes = connection.execute(select, (version, snapshot.seq)).fetchall()
            return snapshot.after(changes, last_seq(connection, version))

    def _mended(self, words: TextIndex, version: str) -> int:
        """Words that are behind are brought up to the truth, unless somebody is at it now."""
        try:
            self.derived.cover(version, wait_s=0)
        except Conflict:
            return words.seq
        return words.seq

"""What answers in this process now: looked at again when the truth may have changed."""

import threading
import time
from dataclasses import dataclass

from reelrank.app.engines.embedded.derived import DerivedIndexes
from reelrank.app.engines.embedded.segments.files import list_segments
from reelrank.app.engines.embedded.snapshot import Snapshot, build_snapshot
from reelrank.app.engines.embedded.store.database import begin_read, read_last_seq
from reelrank.app.engines.embedded.store.documents import COLUMNS
from reelrank.app.engines.embedded.text.text_index import TextIndex
from reelrank.index_mappings.errors import Conflict, Unavailable

REFRESH_S = 0.5
"""A change made by another process is looked for at most this often."""
MAX_LAYERS = 8
"""Above that many the changes since the segment are read again into one layer."""


@dataclass(frozen=True, slots=True, eq=False)
class ServingView:
    """A snapshot, and the words as of the change they covered when they were last reloaded."""

    snapshot: Snapshot
    text_index: TextIndex
    text_seq: int


class ServingState:
    """One for each process; its views are shared by the threads. Opens nothing until it is asked."""

    def __init__(self, derived: DerivedIndexes) -> None:
        self.derived = derived
        self._view: ServingView | None = None
        self._refreshed_at = -REFRESH_S
        self._refresh_lock = threading.Lock()

    def serving_version(self) -> str | None:
        """The serving version."""
        connection = self.derived.database.connect()
        row = connection.execute("select name from versions where serving").fetchone()
        return None if row is None else str(row[0])

    def require_serving_version(self) -> str:
        """The serving version. Raises Unavailable when there is none."""
        name = self.serving_version()
        if name is None:
            raise Unavailable(f"no index version serves in {self.derived.directory}; load items first")
        return name

    def get_view(self) -> ServingView:
        """What answers, at most REFRESH_S behind the truth. Raises Unavailable when no version serves."""
        view = self._view
        if view is not None and time.monotonic() - self._refreshed_at < REFRESH_S:
            return view
        with self._refresh_lock:
            if self._view is None or time.monotonic() - self._refreshed_at >= REFRESH_S:
                looked_at = time.monotonic()
                self._view = self._refresh(self._view)
                self._refreshed_at = looked_at
            return self._view

    def invalidate(self) -> None:
        """The next answer holds what this process has just written."""
        self._refreshed_at = -REFRESH_S

    def close(self) -> None:
        self._view = None

    def _refresh(self, view: ServingView | None) -> ServingView:
        version = self.require_serving_version()
        if view is None or view.snapshot.version != version:
            words = self.derived.open_text_index(version)
            words_seq = words.seq
            words.reload()
            return ServingView(
                self._apply_changes(build_snapshot(version, self.derived.load_segment(version))),
                words,
                words_seq,
            )
        snapshot = self._apply_changes(self._adopt_compaction(view.snapshot))
        words_seq = view.text_index.seq
        if words_seq < snapshot.seq:
            words_seq = self._catch_up_text(view.text_index, version)
        if words_seq != view.text_seq:
            view.text_index.reload()
        return ServingView(snapshot, view.text_index, words_seq)

    def _adopt_compaction(self, snapshot: Snapshot) -> Snapshot:
        """From the newer segment, if somebody has made one; in one layer of changes when there are many."""
        newest = next(iter(list_segments(self.derived.segment_directory(snapshot.version))), None)
        if newest is not None and int(newest.name) > snapshot.covered_seq:
            return build_snapshot(snapshot.version, self.derived.load_segment(snapshot.version))
        if len(snapshot.layers) > MAX_LAYERS:
            return build_snapshot(snapshot.version, snapshot.layers[0].segment)
        return snapshot

    def _apply_changes(self, snapshot: Snapshot) -> Snapshot:
        """With the changes that came after it."""
        connection, version = self.derived.database.connect(), snapshot.version
        if read_last_seq(connection, version) == snapshot.seq:
            return snapshot
        with begin_read(connection):
            select = f"select {COLUMNS} from documents where version = ? and seq > ?"
            changes = connection.execute(select, (version, snapshot.seq)).fetchall()
            return snapshot.apply_changes(changes, read_last_seq(connection, version))

    def _catch_up_text(self, text_index: TextIndex, version: str) -> int:
        """Words that are behind are brought up to the truth, unless somebody is at it now."""
        try:
            self.derived.index_through(version, wait_s=0)
        except Conflict:
            return text_index.seq
        return text_index.seq

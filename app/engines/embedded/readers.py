"""The serving view of a process, refreshed when the database may have changed."""

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
"""Shortest time between two checks for changes by other processes."""
MAX_VIEWS = 2
"""Versions that a process answers from at the same time; more exist only in tests."""
MAX_LAYERS = 8
"""Beyond this many layers, the changes since the segment are merged into one."""


@dataclass(frozen=True, slots=True, eq=False)
class ServingView:
    """A snapshot with its text index. text_seq: the last change that the index had when it was reloaded."""

    snapshot: Snapshot
    text_index: TextIndex
    text_seq: int


class ServingState:
    """Holds the views that all threads of a process share. Opens nothing until used."""

    def __init__(self, derived: DerivedIndexes) -> None:
        self.derived = derived
        self._views: dict[str, ServingView] = {}
        self._refreshed_at: dict[str, float] = {}
        self._refresh_lock = threading.Lock()

    def serving_version(self) -> str | None:
        """Returns the serving version; None if there is none."""
        connection = self.derived.database.connect()
        row = connection.execute("select name from versions where serving").fetchone()
        return None if row is None else str(row[0])

    def require_serving_version(self) -> str:
        """Returns the serving version. Raises Unavailable if there is none."""
        name = self.serving_version()
        if name is None:
            raise Unavailable(
                f"{self.derived.directory} has no serving index version; load items first: "
                "reelrank load items FILE",
                code="no_index_version",
            )
        return name

    def get_view(self, version: str | None = None) -> ServingView:
        """Returns a view at most REFRESH_S behind the database, of the serving version unless one is named.

        Raises Unavailable when no version serves.
        """
        name = version or self.require_serving_version()
        view = self._views.get(name)
        if view is not None and self._is_fresh(name):
            return view
        with self._refresh_lock:
            view = self._views.get(name)
            if view is None or not self._is_fresh(name):
                started_at = time.monotonic()
                view = self._refresh(name, view)
                self._keep(name, view, started_at)
            return view

    def invalidate(self) -> None:
        """Makes the next view include what this process has just written."""
        self._refreshed_at = {}

    def close(self) -> None:
        self._views = {}

    def _is_fresh(self, version: str) -> bool:
        return time.monotonic() - self._refreshed_at.get(version, -REFRESH_S) < REFRESH_S

    def _keep(self, version: str, view: ServingView, refreshed_at: float) -> None:
        """Keeps the views used last: two while requests move from one version to the next."""
        others = [(name, other_view) for name, other_view in self._views.items() if name != version]
        self._views = dict([*others[1 - MAX_VIEWS :], (version, view)])
        self._refreshed_at[version] = refreshed_at

    def _refresh(self, version: str, view: ServingView | None) -> ServingView:
        if view is None:
            text_index = self.derived.open_text_index(version)
            text_seq = text_index.seq
            text_index.reload()
            snapshot = build_snapshot(version, self.derived.load_segment(version))
            return ServingView(self._apply_changes(snapshot), text_index, text_seq)
        snapshot = self._apply_changes(self._adopt_compaction(view.snapshot))
        text_seq = view.text_index.seq
        if text_seq < snapshot.seq:
            text_seq = self._catch_up_text(view.text_index, version)
        if text_seq != view.text_seq:
            view.text_index.reload()
        return ServingView(snapshot, view.text_index, text_seq)

    def _adopt_compaction(self, snapshot: Snapshot) -> Snapshot:
        """Switches to a newer segment if there is one; merges the layers of changes if there are many."""
        newest = next(iter(list_segments(self.derived.get_segment_directory(snapshot.version))), None)
        if newest is not None and int(newest.name) > snapshot.covered_seq:
            return build_snapshot(snapshot.version, self.derived.load_segment(snapshot.version))
        if len(snapshot.layers) > MAX_LAYERS:
            return build_snapshot(snapshot.version, snapshot.layers[0].segment)
        return snapshot

    def _apply_changes(self, snapshot: Snapshot) -> Snapshot:
        """Returns the snapshot with the changes since."""
        connection, version = self.derived.database.connect(), snapshot.version
        if read_last_seq(connection, version) == snapshot.seq:
            return snapshot
        with begin_read(connection):
            select = f"select {COLUMNS} from documents where version = ? and seq > ?"
            changes = connection.execute(select, (version, snapshot.seq)).fetchall()
            return snapshot.apply_changes(changes, read_last_seq(connection, version))

    def _catch_up_text(self, text_index: TextIndex, version: str) -> int:
        """Applies missing changes unless another process does. Returns the last change of the text index."""
        try:
            self.derived.index_through(version, wait_s=0)
        except Conflict:
            return text_index.seq
        return text_index.seq

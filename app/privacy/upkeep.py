"""The task of each worker that finishes erasures and removes what is kept no longer."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from reelrank.app.background import BackgroundTask
from reelrank.app.privacy.viewer_eraser import ViewerEraser
from reelrank.loaders.privacy.rejected_rows import remove_old_rejects

POLL_S = 5.0
RETENTION_INTERVAL_S = 600.0


@dataclass(slots=True)
class PrivacyUpkeep:
    """Finishes erasures, removes expired lists and old rejected rows. rejects_keep_days: None: for ever."""

    eraser: ViewerEraser
    rejects_dir: Path
    rejects_keep_days: float | None
    _retention_due_s: float = 0.0
    _task: BackgroundTask | None = field(default=None)

    def start(self) -> None:
        """Starts the task, in a thread of this process."""
        self._task = BackgroundTask("privacy", self.run, POLL_S)
        self._task.start()

    def stop(self) -> None:
        if self._task is not None:
            self._task.stop()

    def run(self) -> None:
        """Looks once. Nothing is read twice: of several workers, one finishes an erasure."""
        self.eraser.finish_due()
        if time.monotonic() < self._retention_due_s:
            return
        self._retention_due_s = time.monotonic() + RETENTION_INTERVAL_S
        self.eraser.places.lists.remove_expired()
        if self.rejects_keep_days is not None:
            remove_old_rejects(self.rejects_dir, self.rejects_keep_days, self.eraser.now().timestamp())

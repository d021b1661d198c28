"""Erases a viewer: at once from what the service reads, then from every file.

Files wait until the workers have written what they hold.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from filelock import Timeout as LockTimeout

from reelrank.app.feedback.impression_log import Impressions
from reelrank.app.privacy.erasure_journal import ErasureJournal, ErasureReceipt, PendingErasure
from reelrank.app.search.result_cache import ResultCache
from reelrank.index_mappings.decision import TABLES
from reelrank.index_mappings.errors import CodedError, EngineError, explain
from reelrank.index_mappings.event_store import EventStore, check_erasable
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.logged.row_cache import clear_row_cache
from reelrank.loaders.privacy.lake_erasure import erase_from_lake
from reelrank.loaders.privacy.rejected_rows import erase_from_rejects

SETTLE_S = 75.0
"""How long workers may still write of pages that they answered before: files of the lake every minute
(`FLUSH_LAKE_S`), impressions twice a second, dashboard lines after 5 s."""
EVENTS, DASHBOARD, LISTS, REJECTS = "events", "dashboard_lines", "kept_lists", "rejected_rows"
PLACES = (EVENTS, DASHBOARD, LISTS, REJECTS, *(f"lake_{table}" for table in TABLES))

log = structlog.get_logger("reelrank.privacy")


@dataclass(frozen=True, slots=True)
class ViewerPlaces:
    """Everything that holds records of a viewer.

    impressions: the lines of dashboards; None without. get_key: a user id to its keyed hash.
    """

    events: EventStore
    lists: ResultCache
    impressions: Impressions | None
    open_lake: Callable[[], LakeStorage]
    get_key: Callable[[str], str]
    rejects_dir: Path
    training_cache_dir: Path
    counters_file: Path


@dataclass(frozen=True, slots=True)
class ViewerEraser:
    """Erases viewers. An erasure that was begun is finished, by this process or by another.

    settle_s: time after the request when the files are cleaned.
    """

    places: ViewerPlaces
    journal: ErasureJournal
    now: Callable[[], datetime]
    settle_s: float = SETTLE_S

    def begin(self, user: str) -> PendingErasure:
        """Writes the erasure down, and removes what pages read. Raises BadRequest for an empty id.

        An engine that does not answer is asked again by `finish_due`.
        """
        check_erasable(user)
        pending = self.journal.begin(user)
        try:
            self._erase_served(pending)
        except EngineError as error:
            log.warning("a viewer is erased later", erasure=pending.id, reason=explain(error))
        return pending

    def finish_due(self) -> list[ErasureReceipt]:
        """Finishes the erasures whose time has come; another process may be at it. Failures are logged."""
        due = [one for one in self.journal.list_pending() if self.is_due(one)]
        receipts = list[ErasureReceipt]()
        if due:
            with suppress(LockTimeout), self.journal.lock_run():
                for pending in due:
                    try:
                        receipts.append(self.finish(pending))
                    except CodedError as error:
                        log.warning("an erasure is tried again", erasure=pending.id, reason=explain(error))
        return receipts

    def is_due(self, pending: PendingErasure) -> bool:
        return self.now() >= pending.requested_at + timedelta(seconds=self.settle_s)

    def finish(self, pending: PendingErasure) -> ErasureReceipt:
        """Removes everything that is left, from all files. Raises EngineError; it may then run again."""
        places, key = self.places, self.places.get_key(pending.user)
        self._erase_served(pending)
        self.journal.add(pending, {REJECTS: erase_from_rejects(places.rejects_dir, pending.user)})
        lake = erase_from_lake(places.open_lake(), key, self.now())
        self.journal.add(pending, {f"lake_{table}": lake.rows[table] for table in TABLES})
        if lake.dates:
            clear_row_cache(places.training_cache_dir)
        places.counters_file.unlink(missing_ok=True)  # workers have counted again, and write a new one
        places.lists.purge()
        places.events.purge(pending.user)
        receipt = self.journal.finish(pending)
        log.info("a viewer was erased", erasure=receipt.id, removed=dict(receipt.removed))
        return receipt

    def _erase_served(self, pending: PendingErasure) -> None:
        """Removes what pages, counters and dashboards read."""
        places, key = self.places, self.places.get_key(pending.user)
        self.journal.add(pending, {LISTS: places.lists.erase_user(key)})
        self.journal.add(pending, {EVENTS: places.events.erase_user(pending.user)})
        if places.impressions is not None:
            self.journal.add(pending, {DASHBOARD: places.impressions.erase_user((key, pending.user))})

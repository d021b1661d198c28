"""Opens the lake to read training rows, from whatever process a partition is computed in."""

from dataclasses import dataclass
from pathlib import Path

import structlog

from reelrank.app.data_directories import DataDirectories
from reelrank.index_mappings.decision import name_signal_column
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.logged.date_build import RowOptions
from reelrank.loaders.logged.pages import ReadOptions
from reelrank.loaders.logged.row_cache import RowCache
from reelrank.loaders.logged.rows import RowReader, name_config
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.training.dataset import GROUP_SIZE
from reelrank.ranking.training.logged_rows import PROPENSITY, list_signals

log = structlog.get_logger("reelrank.learning")


@dataclass(frozen=True, slots=True)
class LoggedRowOpener:
    """Opens a reader of rows through a cache. It holds names only, so it can be pickled.

    lake_url: must be reachable from where partitions are computed. lock_dir, cache_dir: of that machine.
    as_of_ms: events received later do not count.
    """

    lake_url: str
    lock_dir: Path
    cache_dir: Path
    cache_bytes: int
    as_of_ms: int

    def __call__(self) -> RowReader:
        columns = (PROPENSITY, *(name_signal_column(name) for name in list_signals(FEATURE_NAMES)))
        reading = ReadOptions(self.as_of_ms, columns, on_skipped=warn_of_skipped)
        options = RowOptions(FEATURE_NAMES, GROUP_SIZE, reading)
        cache = RowCache(self.cache_dir, name_config(options), self.cache_bytes)
        return RowReader(Lake(LakeStorage(self.lake_url, self.lock_dir)), cache, options)


def create_opener(places: DataDirectories, cache_mb: float, as_of_ms: int) -> LoggedRowOpener:
    """Creates an opener for the lake and the cache of these directories, by absolute paths."""
    url = places.lake_url or str(Path(places.lake_location).resolve())
    locks, cache = (places.data_dir / "locks").resolve(), places.training_cache_dir.resolve()
    return LoggedRowOpener(url, locks, cache, round(cache_mb * 2**20), as_of_ms)


def warn_of_skipped(reason: str) -> None:
    """Logs why logged pages are left out."""
    log.warning("logged pages are left out", reason=reason)

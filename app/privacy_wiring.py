"""Builds what erases and exports viewers, and the task that does it in a worker."""

from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.privacy.erasure_journal import ErasureJournal
from reelrank.app.privacy.upkeep import PrivacyUpkeep
from reelrank.app.privacy.viewer_eraser import ViewerEraser, ViewerPlaces
from reelrank.app.search.result_cache import LISTS_FILE, ResultCache
from reelrank.app.wiring import Container, build_lake_storage, build_user_keys


def build_viewer_eraser(container: Container, lists: ResultCache | None = None) -> ViewerEraser:
    """Builds the eraser of a data directory and its engine. lists: of a service that is built already."""
    settings, keys = container.settings, build_user_keys(container.settings)
    if lists is None:
        ttl_s = settings.cursor_minutes * 60
        lists = ResultCache(settings.data_dir / LISTS_FILE, ttl_s, keys.find_key, container.clock)
    places = ViewerPlaces(
        container.events,
        lists,
        None if container.dashboards is None else container.dashboards.impressions,
        lambda: build_lake_storage(settings),
        keys.get_key,
        settings.rejects_dir,
        settings.training_cache_dir,
        settings.counters_file,
    )
    return ViewerEraser(places, ErasureJournal(settings.erasures_dir, SYSTEM_CLOCK.now), SYSTEM_CLOCK.now)


def build_privacy_upkeep(container: Container, eraser: ViewerEraser) -> PrivacyUpkeep:
    """Builds the task of a worker; `start` runs it."""
    settings = container.settings
    return PrivacyUpkeep(eraser, settings.rejects_dir, settings.rejects_keep_days)

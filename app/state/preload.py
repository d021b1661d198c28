"""Loads the promoted model of a ranking worker in the background, before the first request needs it."""

from collections.abc import Callable

import structlog

from reelrank.app.background import BackgroundTask
from reelrank.app.state.model_cache import Models

log = structlog.get_logger("reelrank.preloaded")
LOAD_WAIT_S = 30.0
"""Below gunicorn's timeout, after which a worker that has not begun is ended."""


def preload(models: Models, interval_s: float) -> Callable[[], object]:
    """Loads the promoted model now and again every `interval_s` seconds. Returns what stops it."""
    serving = ""

    def refresh() -> None:
        nonlocal serving
        ranker, degraded = models.current()
        missing = [str(part) for part in degraded]
        state = f"{ranker.name} {missing}"
        if state != serving:
            log.info("model serves", model=ranker.name, degraded=missing)
        serving = state

    task = BackgroundTask("preload", refresh, interval_s)
    task.start(refresh, LOAD_WAIT_S)
    return task.stop

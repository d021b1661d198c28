"""A ranking worker's only background work: the promoted model is loaded before anybody asks it for scores."""

import threading
from collections.abc import Callable

import structlog

from reelrank.app.state.model_cache import Models

log = structlog.get_logger("reelrank.preloaded")


def preload(models: Models, interval_s: float) -> Callable[[], None]:
    """Looks at once, then again and again in a thread of this process. Gives what stops it."""
    stopped = threading.Event()

    def refresh(previous: str) -> str:
        ranker, degraded = models.current()
        state = f"{ranker.name} {degraded}"
        if state != previous:
            log.info("model serves", model=ranker.name, degraded=degraded)
        return state

    def poll(state: str) -> None:
        while not stopped.wait(interval_s):
            try:
                state = refresh(state)
            except Exception:  # a thread that dies would leave this worker behind for ever
                log.exception("no look at the models")

    threading.Thread(target=poll, args=(refresh(""),), name="preload", daemon=True).start()
    return stopped.set

"""The demo: real films and real ratings, indexed and learned from; nothing current is done again."""

from dataclasses import dataclass

from app.doctor import diagnose
from app.learning import Outcome, train
from app.wiring import Parts
from loaders.catalogue import LoadOptions, load_catalogue
from loaders.demo import Demo, JoinReport, load_demo
from loaders.history import load_history
from ranking.progress import Progress


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was done; None for a step whose result was current."""

    join: JoinReport | None
    outcome: Outcome | None


def prepare_demo(parts: Parts, now_ms: int, progress: Progress) -> DemoReport:
    """Loads and learns unless all of it is there and agrees."""
    if not diagnose(parts).complaints:
        return DemoReport(None, None)
    demo = load_demo(now_ms)
    load_into(parts, demo, progress)
    return DemoReport(demo.join, train(parts, progress))


def load_into(parts: Parts, demo: Demo, progress: Progress) -> None:
    """Films and watches, where there are none yet; nothing is learned from them."""
    options = LoadOptions(parts.settings.reject_share_max, parts.settings.index_keep)
    if parts.engine.serving_version() is None:
        load_catalogue(demo.items, parts.engine, parts.encoder, options, progress)
    if not parts.events.count():
        load_history(demo.events, parts.events, progress)

"""The demo: indexes real films, learns from real ratings, and skips steps that are up to date."""

from dataclasses import dataclass

from reelrank.app.clock import to_ms
from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.jobs.training import TrainingRun, train
from reelrank.app.wiring import Container
from reelrank.loaders.demo import Demo, JoinReport, load_demo
from reelrank.loaders.events.history import load_history
from reelrank.loaders.items.catalogue import LoadOptions, load_catalogue
from reelrank.ranking.progress import Progress


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The result of each step; None for a step that was up to date."""

    join: JoinReport | None
    training_run: TrainingRun | None


def prepare_demo(container: Container, progress: Progress) -> DemoReport:
    """Loads the data and trains, unless the doctor finds nothing left to do."""
    if diagnose(container).is_complete:
        return DemoReport(None, None)
    demo = load_demo(to_ms(container.clock.now()))
    load_demo_data(container, demo, progress)
    return DemoReport(demo.join, train(container, progress))


def load_demo_data(container: Container, demo: Demo, progress: Progress) -> None:
    """Loads films and watches where there are none yet, without training."""
    settings = container.settings
    options = LoadOptions(settings.reject_share_max, settings.index_keep, created_at=container.clock.now())
    if container.engine.serving_version() is None:
        load_catalogue(demo.items, container.engine, container.encoder, options, progress)
    if not container.events.count():
        load_history(demo.events, container.events, progress)

"""The drift of what the serving release learned from, measured by the loop and by `reelrank drift`."""

import structlog

from reelrank.app.loop.reading.drift import choose_spans, measure_drift, read_subject
from reelrank.app.wiring import Container
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.drift.kept_report import KeptDrift, read_drift, write_drift
from reelrank.ranking.drift.report import Action

log = structlog.get_logger("reelrank.loop")
HOURS, DAYS = 24.0, 28.0
"""The last hours, and how long before them what is compared began: as long as training reads. A choice."""


def measure_serving(container: Container, hours: float = HOURS, days: float = DAYS) -> KeptDrift:
    """Measures drift for the serving release and keeps the report. Raises NotFound with too few viewers."""
    pointer, now = container.releases.read_pointer(), container.clock.now()
    release = pointer.serving if pointer is not None else None
    subject = read_subject(container, release)
    before, recent = choose_spans(now, hours, days, subject.learned_until)
    kept = KeptDrift(
        now,
        release.id if release is not None else "",
        (before.begin, before.end),
        (recent.begin, recent.end),
        measure_drift(container, before, recent, subject),
    )
    write_drift(container.settings.reports_dir, kept)
    return kept


def renew_drift(container: Container) -> None:
    """Measures drift for the operator pages and for the next step; an old report stays without viewers."""
    try:
        kept = measure_serving(container)
    except NotFound as error:
        log.info("drift is not measured", reason=str(error))
    else:
        log.info("drift", release=kept.release, verdict=kept.report.describe(), policy=kept.report.action)


def is_retraining_due(container: Container) -> bool:
    """Returns whether the newest report, of the release that serves, asks for a training run."""
    kept, pointer = read_drift(container.settings.reports_dir), container.releases.read_pointer()
    if kept is None or pointer is None or kept.release != pointer.serving.id:
        return False
    return kept.report.action in (Action.RETRAIN, Action.BLOCK)

"""Repeats the loop in a process of its own. APScheduler only calls it: all state is in the data directory."""

from collections.abc import Callable

import structlog

from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.index_mappings.errors import CodedError, explain

log = structlog.get_logger("reelrank.loop")
JOB = "loop"


def repeat(run: Callable[[], object], minutes: float) -> None:
    """Runs at once, then every so many minutes, until the process ends; runs never overlap.

    A run that fails is logged, and the next one comes as planned.
    """
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.blocking import BlockingScheduler
    from apscheduler.triggers.interval import IntervalTrigger

    scheduler = BlockingScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone="UTC")
    scheduler.add_job(
        lambda: run_logged(run),
        IntervalTrigger(minutes=minutes, timezone="UTC"),
        id=JOB,
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
        next_run_time=SYSTEM_CLOCK.now(),
    )
    try:
        scheduler.start()
    except (KeyboardInterrupt, SystemExit):
        log.info("the loop ends")


def run_logged(run: Callable[[], object]) -> None:
    """Runs once and logs what went wrong: the scheduler must go on."""
    try:
        run()
    except CodedError as error:
        log.warning("a run of the loop failed", code=error.code, reason=explain(error))
    except Exception:
        log.exception("a run of the loop failed")

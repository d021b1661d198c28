"""The runs of the loop in a soak, and what must be true after it."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_FSIZE, setrlimit

from benchmarks.loop_faults.made_up_project import MadeUpTrials, open_project
from benchmarks.loop_faults.page_reader import list_pairs
from benchmarks.loop_faults.soak_viewers import SoakViewers
from reelrank.app.clock import SimulatedClock
from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.jobs.lake import export_lake
from reelrank.app.loop.machine import Loop
from reelrank.app.loop.states import StateFile, Step
from reelrank.app.loop.work import Observation, Trend
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.decision import EVENTS, REQUESTS
from reelrank.index_mappings.errors import CodedError
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.registry.decisions import FileHistory, StepOutcome

BAD_HOUR = 16
"""The release of this hour's run is found worse after it was promoted."""
MAX_CALLS = 12
CLOSING = {
    StepOutcome.REFUSED, StepOutcome.FAILED, StepOutcome.SKIPPED, StepOutcome.ROLLED_BACK, StepOutcome.DONE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SoakRecord:
    """What was done. made: faults by name. outcomes: of the loop. known: pairs of the first release."""

    viewers: SoakViewers
    made: Counter[str]
    outcomes: list[str]
    known: set[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SoakReport:
    """What happened, and what is wrong; no problems when all is well."""

    figures: dict[str, object]
    problems: list[str]


class GoodTrials(MadeUpTrials):
    """Finds every promoted release as good."""

    def observe_promoted(self, release: str, baseline: str, since: datetime) -> Observation:
        return Observation(Trend.GOOD, "made up")


def run_loop_at(data_dir: Path, hour: int, now_ms: int, is_disk_full: bool) -> list[str]:
    """Runs the loop at a simulated time until it has nothing to do; returns how each call ended."""
    clock = SimulatedClock()
    clock.set(datetime.fromtimestamp(now_ms / 1000, UTC))
    trials = MadeUpTrials if hour == BAD_HOUR else GoodTrials
    work = trials(replace(open_project(data_dir), clock=clock), ignore_progress)
    directory, outcomes = work.container.settings.loop_dir, list[str]()
    if is_disk_full:
        setrlimit(RLIMIT_FSIZE, (1, RLIM_INFINITY))
    for _ in range(MAX_CALLS):
        try:
            result = Loop(work, directory, FileHistory(directory)).run_once()
        except (CodedError, OSError) as error:
            return [*outcomes, getattr(error, "code", "") or type(error).__name__]
        outcomes.append(str(result.outcome))
        if result.state.step is Step.IDLE:
            break
    return outcomes


def check_outcome(container: Container, run: SoakRecord) -> SoakReport:
    """Counts what was lost or doubled, mixed pages, and decisions that are missing."""
    viewers, known = run.viewers, run.known | list_pairs(container)
    problems = [*_check_events(container, viewers), *_check_pages(known, viewers)]
    problems += [*_check_records(container), *diagnose(container).problems]
    figures: dict[str, object] = {
        "pages by status (0: the connection ended)": {str(k): n for k, n in sorted(viewers.answers.items())},
        "pages that said what was missing": viewers.degraded,
        "requests in the lake (a killed worker loses its last minute)": _count_requests(container),
        "releases that answered": len(viewers.pairs),
        "acknowledged events": len(viewers.acknowledged),
        "sent more than an hour late": viewers.sent_late,
        "batches that were refused, sent again": viewers.refused,
        "faults": dict(run.made),
        "runs of the loop": run.outcomes,
        "problems": problems,
    }
    return SoakReport(figures, problems)


def _check_events(container: Container, viewers: SoakViewers) -> list[str]:
    export_lake(container, ignore_progress)
    now = datetime.now(UTC)
    stored = Counter(
        event
        for batch in container.events.scan(
            0, round((now + timedelta(days=2)).timestamp() * 1000), columns=("id",)
        )
        for event in batch["id"].to_pylist()
    )
    span = now - timedelta(days=4), now + timedelta(days=2)
    batches = Lake(build_lake_storage(container.settings)).scan(EVENTS, *span, ("id",))
    lake = Counter(event for batch in batches for event in batch["id"].to_pylist())
    problems = [f"{len(viewers.waiting)} events were never acknowledged"] if viewers.waiting else []
    for name, found in (("event store", stored), ("lake", lake)):
        lost = len(viewers.acknowledged - found.keys())
        doubled = sum(found[event] > 1 for event in viewers.acknowledged)
        problems += [f"{lost} events lost and {doubled} doubled in the {name}"] if lost or doubled else []
    return problems if viewers.acknowledged else [*problems, "no event was acknowledged"]


def _check_pages(known: set[tuple[str, str]], viewers: SoakViewers) -> list[str]:
    mixed = sum(count for pair, count in viewers.pairs.items() if pair not in known)
    problems = [f"{mixed} pages mixed two releases"] if mixed else []
    if viewers.bare:
        problems.append(f"{viewers.bare} pages were empty and did not say why")
    if wrong := {status: n for status, n in viewers.answers.items() if status not in (0, 200, 503, 504)}:
        problems.append(f"pages failed with {wrong}")
    return problems if viewers.answers[200] else [*problems, "no page was answered"]


def _check_records(container: Container) -> list[str]:
    directory = container.settings.loop_dir
    runs = dict.fromkeys(decision.run for decision in FileHistory(directory).read())
    problems = []
    for run in runs:
        decisions = FileHistory(directory).of_run(run)
        steps = [decision.step for decision in decisions]
        if decisions[-1].outcome not in CLOSING or steps[:3] != [Step.EXPORT, Step.LABEL, Step.BUILD]:
            problems.append(f"the records of {run} are not complete: {', '.join(steps)}")
    if (state := StateFile(directory).read()).step is not Step.IDLE:
        problems.append(f"a run is left in {state.step}")
    return problems if runs else [*problems, "the loop has no records"]


def _count_requests(container: Container) -> int:
    now = datetime.now(UTC)
    span = now - timedelta(days=4), now + timedelta(days=2)
    return sum(
        b.num_rows
        for b in Lake(build_lake_storage(container.settings)).scan(REQUESTS, *span, ("request_id",))
    )

"""The story of a simulation: releases one after another through the real loop, good, bad and harmful.

Each scene is one run of the loop, from export to its end. Viewers are served in between, in the process of
the loop, so that one command needs no service and no port.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reelrank.app.loop.container_work import ContainerWork
from reelrank.app.loop.faults import Fault
from reelrank.app.loop.simulated.bad_builds import FaultyWork, HarmfulWork, PlainWork
from reelrank.app.loop.simulated.report import LoopReport, Row
from reelrank.app.loop.simulated.true_effect import Referee, TrueEffect
from reelrank.app.loop.simulated.world import SimulatedWorld, SimulationSize
from reelrank.app.loop.states import Step
from reelrank.app.loop.steps import StepResult
from reelrank.ranking.progress import Progress
from reelrank.ranking.registry.decisions import FileHistory, StepOutcome, find_reason

LOOK_HOURS = 3.0
"""Simulated hours between two runs of the loop while a release is tried."""
MAX_LOOKS = 40
NEW_PAGES = 80
"""Served before a run that begins at any hour: enough of them lead to a play to learn from again."""
EVENING, NOON, NIGHT = 18, 13, 3
"""Hours of the day (UTC) with much traffic, with some, and with too little to try a release on."""
Decided = tuple[Step, StepOutcome]
PROMOTED: Decided = (Step.PROMOTE, StepOutcome.PROMOTED)
REFUSED = (Step.GATE, StepOutcome.REFUSED)
TAKEN_BACK = (Step.CANARY, StepOutcome.REFUSED)
ROLLED_BACK = (Step.ROLL_BACK, StepOutcome.ROLLED_BACK)
HARM_ENDED = (TAKEN_BACK, ROLLED_BACK)
"""By the canary; or by the watch, if the canary saw too few viewers to be certain and so was promoted."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One release. made: how it differs, in words. wanted: what the loop must decide, any of these. hour: of
    the day when the run begins; None: after NEW_PAGES. make_work: what builds it."""

    made: str
    wanted: tuple[Decided, ...]
    hour: int | None
    make_work: Callable[[SimulatedWorld], ContainerWork]


def work_as_usual(world: SimulatedWorld) -> ContainerWork:
    """Returns the work of a run without a fault."""
    return PlainWork(world.container, world.progress)


def work_harmfully(world: SimulatedWorld) -> ContainerWork:
    """Returns the work of a run that builds what only viewers can find harmful."""
    return HarmfulWork(world.container, world.progress)


def work_with(fault: Fault, world: SimulatedWorld) -> ContainerWork:
    """Returns the work of a run with a fault that the gate must find."""
    return FaultyWork(world.container, world.progress, fault, world.seed)


BETTER = Scene("better: learned from the pages that were served", (PROMOTED,), EVENING, work_as_usual)
HARMFUL = Scene("harmful: its settings leave few candidates", HARM_ENDED, NOON, work_harmfully)
AT_NIGHT = Scene("as harmful, at night without a canary", (ROLLED_BACK,), NIGHT, work_harmfully)
SCENES = (
    BETTER,
    *(Scene(f"bad: {fault}", (REFUSED,), None, partial(work_with, fault)) for fault in Fault),
    HARMFUL,
    AT_NIGHT,
)


RowListener = Callable[[Row], None]


def ignore_row(row: Row) -> None:
    """Ignores what was decided."""


def simulate_loop(
    directory: Path, seed: int, size: SimulationSize, progress: Progress, on_row: RowListener = ignore_row
) -> LoopReport:
    """Runs the whole story in an empty folder. on_row: is called with each release, once it is decided."""
    began, cpu = time.monotonic(), time.process_time()
    report = LoopReport(seed, directory)
    world = SimulatedWorld(directory, seed, size, progress)
    try:
        world.serve(24 * size.traffic_days)
        for number, scene in enumerate(SCENES):
            progress("releases", number, len(SCENES))
            report.rows.append(play(world, scene))
            on_row(report.rows[-1])
        progress("releases", len(SCENES), len(SCENES))
    finally:
        world.close()
    report.pages, report.failed = world.count_pages()
    report.seconds, report.cpu_s = time.monotonic() - began, time.process_time() - cpu
    return report


def play(world: SimulatedWorld, scene: Scene) -> Row:
    """Runs the loop until a release is promoted and watched, or refused, or rolled back."""
    began, effects = time.monotonic(), list[TrueEffect]()
    if scene.hour is None:
        world.serve_pages(NEW_PAGES)
    else:
        world.serve_until(scene.hour)
    while not world.is_idle():  # the release before is still watched
        world.run_loop(work_as_usual(world))
    referee = Referee(world.service.service, world.truth, world.size.judged_viewers)

    def measure(step: Step, phase: str) -> None:
        if (step, phase) == (Step.GATE, "begun"):
            effects.append(referee.measure(world.find_candidate()))

    for _ in range(MAX_LOOKS):
        result = world.run_loop(scene.make_work(world), measure)
        if world.is_idle() and result.outcome is not StepOutcome.NOTHING_NEW:
            break
        world.serve(LOOK_HOURS)
    return describe(world, scene.made, scene.wanted, (result, effects[0] if effects else None), began)


def describe(
    world: SimulatedWorld,
    made: str,
    wanted: tuple[Decided, ...],
    found: tuple[StepResult, TrueEffect | None],
    began: float,
) -> Row:
    """Describes the newest run: by a step that is wanted, if the run has it, else by the last one."""
    result, effect = found
    history = FileHistory(world.settings.loop_dir)
    run = history.of_run(history.read()[-1].run)
    last = next((one for one in run if (one.step, one.outcome) in wanted), run[-1])
    why = find_reason(run, last)
    decided, sentence = (str(last.step), str(last.outcome)), why.verdict
    if result.outcome is StepOutcome.NOTHING_NEW:
        decided, sentence = (str(Step.LABEL), str(result.outcome)), result.verdict
    failed = tuple(check.name for check in why.checks if check.is_blocking and not check.passed)
    seconds = time.monotonic() - began
    return Row(last.release, made, wanted, decided, sentence, failed, effect, seconds, why.figures)

"""`python -m benchmarks loop-kills`: kills the loop in each of its states, while a service answers pages.

Each round is one run of the loop that is killed once in every state, at its begin, in the middle, when it is
done or when it is recorded, and goes on in a new process. In the end the decision records must be complete,
the doctor must find nothing, and no page may have failed or mixed the parts of two releases. Training and
verdicts are made up; index versions, lake, releases, trials, promotion and rollback are real.
"""

import argparse
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import orjson

from benchmarks.loop_faults.made_up_project import MadeUpTrials, add_watch, make_project, open_project
from benchmarks.loop_faults.page_reader import PageCounts, read_pages
from benchmarks.loop_faults.processes import (
    PROCESSES,
    call_in_child,
    prepare_processes,
    run_child,
    start_child,
)
from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.loop.machine import Loop
from reelrank.app.loop.states import StateFile, Step
from reelrank.app.wiring import build_release_manager
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.registry.decisions import FileHistory

STEPS: tuple[Step, ...] = tuple(step for step in Step if step is not Step.IDLE)
MOMENTS = ("begun", "middle", "done", "recorded")


@dataclass(frozen=True, slots=True)
class Kill:
    """When a process of the loop kills itself. after_s: of a moment in the middle."""

    step: Step
    moment: str
    after_s: float = 0.0


@dataclass(slots=True)
class Findings:
    """What was found. problems: of the doctor, and of the records of a run; empty when all is well."""

    kills: Counter[Step] = field(default_factory=Counter)
    in_the_middle: int = 0
    problems: list[str] = field(default_factory=list)
    pages: PageCounts = field(default_factory=PageCounts)


def main(arguments: Sequence[str]) -> int:
    """Prints kills and what was found. Returns 1 for any problem, failed page or mixed page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks loop-kills", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="kills in each state")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="reelrank-loop-kills-") as directory:
        findings = kill_in_each_state(Path(directory) / "data", options.times, options.seed)
    pages = findings.pages
    result = {
        "kills": {str(step): count for step, count in findings.kills.items()},
        "killed": findings.kills.total(),
        "in the middle of a step": findings.in_the_middle, "problems": findings.problems,
        "pages": pages.answered, "failed pages": pages.failed, "incomplete pages": pages.incomplete,
        "pages of two releases": pages.mixed, "releases that served": len(pages.pairs),
    }  # fmt: skip
    print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode(), flush=True)
    wrong = len(findings.problems) + pages.failed + pages.incomplete + pages.mixed
    return int(wrong > 0 or not pages.answered or findings.kills.total() < options.times * len(STEPS))


def kill_in_each_state(data_dir: Path, times: int, seed: int) -> Findings:
    """Makes a project, and runs the loop so many times, killed once in each state."""
    prepare_processes(__name__)
    findings, rng = Findings(), random.Random(seed)
    call_in_child(make_project, data_dir)
    ours, theirs = PROCESSES.Pipe()
    reader = start_child(read_pages, theirs, data_dir, theirs)
    try:
        ours.recv()  # the first page is answered
        took_s: dict[Step, float] = dict.fromkeys(STEPS, 0.0)
        for number in range(times):
            _run_round(data_dir, number, rng, took_s, findings)
        ours.send("stop")
        findings.pages = ours.recv()
    finally:
        reader.join(10)
        reader.kill()
    return findings


def _run_round(
    data_dir: Path, number: int, rng: random.Random, took_s: dict[Step, float], findings: Findings
) -> None:
    """Runs the loop once to its end, killed in each state, and checks what is left after each kill."""
    for index, step in enumerate(STEPS):
        moment = MOMENTS[(number + index + 1) % len(MOMENTS)]
        kill = Kill(step, moment, rng.uniform(0, took_s[step]))
        began = time.monotonic()
        code, found = run_child(run_until_killed, data_dir, number, kill)
        if code != -signal.SIGKILL:
            findings.problems.append(f"round {number}, {step}: ended with {code} before its kill")
        findings.problems += [f"round {number}, before {step}: {one}" for part in found for one in part]
        findings.kills[step] += 1
        findings.in_the_middle += moment == "middle"
        took_s[step] = took_s[step] or min(time.monotonic() - began, 2.0)
    findings.problems += [f"round {number}: {one}" for one in call_in_child(run_to_the_end, data_dir, number)]


def run_until_killed(data_dir: Path, number: int, kill: Kill, pipe: Connection) -> None:
    """Looks what the kill before has left, then goes on until its own kill."""
    pipe.send(find_problems(data_dir))

    def on_step(step: Step, phase: str) -> None:
        if step is not kill.step:
            return
        if phase == kill.moment or (kill.moment == "middle" and phase == "done"):
            os.kill(os.getpid(), signal.SIGKILL)
        if kill.moment == "middle" and phase == "begun":
            threading.Timer(kill.after_s, os.kill, (os.getpid(), signal.SIGKILL)).start()

    loop = make_loop(data_dir, number)
    loop = replace(loop, on_step=on_step)
    while loop.run_once().state.step is not Step.IDLE:
        pass  # a step that waits for traffic has ended a call


def run_to_the_end(data_dir: Path, number: int) -> list[str]:
    """Completes the run that was killed in each state, and returns what is wrong after it."""
    problems, loop = find_problems(data_dir), make_loop(data_dir, number)
    run = StateFile(loop.directory).read().run
    while StateFile(loop.directory).read().step is not Step.IDLE:
        loop.run_once()
    container = open_project(data_dir)
    recorded = [decision.step for decision in FileHistory(loop.directory).of_run(run)]
    if sorted(recorded) != sorted(STEPS):
        problems.append(f"the records of {run} are {', '.join(recorded)}")
    pointer = container.releases.read_pointer()
    decisions = FileHistory(loop.directory).of_run(run)
    if pointer is None or pointer.serving.id != decisions[0].serving:
        problems.append(f"{pointer and pointer.serving.id} serves after a rollback to {decisions[0].serving}")
    if pointer is not None and (pointer.canary or pointer.shadow):
        problems.append("a trial is left")
    return problems + find_problems(data_dir)


def make_loop(data_dir: Path, number: int) -> Loop:
    """Builds the loop; a new run has something new to learn from."""
    container = open_project(data_dir)
    directory = container.settings.loop_dir
    if StateFile(directory).read().step is Step.IDLE:
        add_watch(container, f"round-{number}")
    return Loop(MadeUpTrials(container, ignore_progress), directory, FileHistory(directory))


def find_problems(data_dir: Path) -> list[str]:
    """Returns what `reelrank doctor` finds, and a release whose parts do not belong together."""
    container = open_project(data_dir)
    problems = diagnose(container).problems
    pointer, manager = container.releases.read_pointer(), build_release_manager(container)
    versions = {version.name for version in container.engine.versions()}
    for use, release in pointer.list_uses() if pointer is not None else ():
        if not manager.fits(release):
            problems.append(f"the {use} release {release.id} has a model of other embeddings")
        if release.index_version not in versions:
            problems.append(f"the {use} release {release.id} has lost its index version")
    return problems

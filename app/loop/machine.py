"""The state machine: does one step after another until a run ends or waits for traffic."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from reelrank.app.loop.states import LoopState, StateFile, Step
from reelrank.app.loop.steps import STEPS, StepResult
from reelrank.app.loop.work import LoopWork
from reelrank.app.release.lock import acquire_job_lock
from reelrank.ranking.registry.decisions import Decision, History, StepOutcome

log = structlog.get_logger("reelrank.loop")
LOCK_FILE = "loop.lock"

StepListener = Callable[[Step, str], None]
"""Called with a step and one of: begun, done, recorded. Tests kill the process there."""


def ignore_step(step: Step, phase: str) -> None:
    """Ignores the steps of a run."""


@dataclass(frozen=True, slots=True)
class Loop:
    """The loop of one data directory. directory: of its lock and its state. history: its decisions."""

    work: LoopWork
    directory: Path
    history: History
    on_step: StepListener = ignore_step

    def run_once(self) -> StepResult:
        """Does what there is to do and returns the last decision. Raises Conflict while another run does.

        A run that was killed, or that waited for traffic, goes on where it was.
        """
        states = StateFile(self.directory)
        with acquire_job_lock(self.directory / LOCK_FILE, 0, "another run of the loop"):
            state = states.read()
            if state.step is Step.IDLE:
                state = state.move_to(Step.EXPORT, run=_name_run(self.work.now()))
                states.write(state)
            while True:
                result = self._do_step(state, states)
                if result.outcome is StepOutcome.WAITING or result.state.step is Step.IDLE:
                    return result
                state = result.state

    def _do_step(self, state: LoopState, states: StateFile) -> StepResult:
        self.on_step(state.step, "begun")
        serving = self.work.read_serving()
        result = STEPS[state.step](self.work, state)
        self.on_step(state.step, "done")
        log.info("step", run=state.run, step=state.step, outcome=result.outcome, verdict=result.verdict)
        if result.is_recorded:
            self.history.append(
                Decision(
                    run=state.run,
                    step=state.step,
                    at=self.work.now(),
                    outcome=result.outcome,
                    verdict=result.verdict,
                    release=result.state.release or state.release,
                    serving=serving,
                    inputs=result.inputs,
                    figures=result.figures,
                    checks=result.checks,
                )
            )
        self.on_step(state.step, "recorded")
        states.write(result.state)
        return result


def _name_run(now: datetime) -> str:
    return f"run-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"

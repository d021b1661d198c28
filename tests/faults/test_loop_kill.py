"""kill -9 of the loop on a real data directory: the next run completes it, the doctor finds no problem."""

import os
import signal
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from reelrank.app.diagnostics.doctor import find_release_problems
from reelrank.app.loop import candidates
from reelrank.app.loop.states import StateFile, Step
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, build_release_manager
from reelrank.ranking.registry.decisions import StepOutcome
from tests.sample_project import build_project
from tests.unit.app.loop.made_up_work import NOW
from tests.unit.app.loop.test_loop_on_a_project import make_loop, train_made_up

pytestmark = pytest.mark.slow


def run_until_killed(data_dir: Path, step: Step) -> None:
    """Runs the loop in a process of its own, which kills itself when a step is done but not recorded."""
    vars(candidates)["train"] = partial(train_made_up, 0.4)
    container = build_container(Settings(data_dir=data_dir, gate_known_items=0, watch_hours=0))

    def kill(reached: Step, phase: str) -> None:
        if (reached, phase) == (step, "done"):
            os.kill(os.getpid(), signal.SIGKILL)

    replace(make_loop(container), on_step=kill).run_once()


@pytest.mark.parametrize("step", [Step.BUILD, Step.PROMOTE])
def test_a_killed_run_leaves_a_consistent_pair_and_is_completed(
    tmp_path: Path, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_project(tmp_path, NOW).engine.close()
    process = get_context("spawn").Process(target=run_until_killed, args=(tmp_path, step))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    container = build_container(Settings(data_dir=tmp_path, gate_known_items=0, watch_hours=0))
    assert StateFile(container.settings.loop_dir).read().step is step
    assert find_problems(container) == []
    monkeypatch.setattr(candidates, "train", partial(train_made_up, 0.4))
    result = make_loop(container).run_once()
    assert (result.outcome, result.state.step) == (StepOutcome.DONE, Step.IDLE)
    assert find_problems(container) == []
    pointer = container.releases.read_pointer()
    assert pointer is not None
    assert pointer.serving.model == "model-0"  # one training was enough


def find_problems(container: Container) -> list[str]:
    """What the doctor says of the releases, once it has completed what was interrupted."""
    pointer = build_release_manager(container).settle()
    assert pointer is not None
    return find_release_problems(container, pointer, {})

"""The state machine of the loop: what each outcome leads to, and that a killed step is done again."""

import os
import signal
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from reelrank.app.loop.machine import LOCK_FILE
from reelrank.app.loop.states import StateFile, Step
from reelrank.app.loop.work import Trend
from reelrank.app.release.lock import acquire_job_lock
from reelrank.index_mappings.errors import Conflict, Unavailable
from reelrank.ranking.registry.decisions import Check, FileHistory, StepOutcome
from tests.raised import raises_code
from tests.unit.app.loop.made_up_work import FIRST, MadeUpWork, make_loop

ALL_STEPS = [step for step in Step if step is not Step.IDLE]


@pytest.fixture
def work(tmp_path: Path) -> MadeUpWork:
    return MadeUpWork(tmp_path / "loop")


def list_steps(work: MadeUpWork) -> list[tuple[str, str]]:
    return [(one.step, one.outcome) for one in FileHistory(work.directory).read()]


def test_a_good_release_goes_through_every_step(work: MadeUpWork) -> None:
    result = make_loop(work).run_once()
    assert result.outcome is StepOutcome.DONE
    assert work.read_serving() != FIRST
    expected = ["export", "label", "build", "gate", "shadow", "canary", "promote", "watch"]
    assert [step for step, _ in list_steps(work)] == expected
    last = FileHistory(work.directory).read()[2]
    assert (last.inputs, last.figures, last.serving) == ({"model": "a"}, {"requests": 500.0}, FIRST)


def test_nothing_new_means_nothing_done(work: MadeUpWork) -> None:
    make_loop(work).run_once()
    before = list_steps(work)
    assert make_loop(work).run_once().outcome is StepOutcome.NOTHING_NEW
    assert list_steps(work) == before
    assert (work.calls.count("build"), work.measured) == (1, 1)
    work.change(events=2)
    assert make_loop(work).run_once().outcome is StepOutcome.DONE
    assert (work.calls.count("build"), work.measured) == (2, 2)


def test_too_few_answered_requests_wait_for_more(work: MadeUpWork) -> None:
    work.answered = 99
    assert make_loop(work).run_once().outcome is StepOutcome.NOTHING_NEW
    assert make_loop(work).run_once().outcome is StepOutcome.NOTHING_NEW
    assert (work.calls, work.measured) == (["export"] * 2, 1)
    work.answered = 100
    assert make_loop(work).run_once().outcome is StepOutcome.DONE


def test_nothing_is_trained_that_the_gate_could_not_judge(work: MadeUpWork) -> None:
    work.judged = 99
    result = make_loop(work).run_once()
    assert (result.outcome, work.calls) == (StepOutcome.NOTHING_NEW, ["export"])
    assert "the gate needs 100" in result.verdict
    work.judged = 100
    assert make_loop(work).run_once().outcome is StepOutcome.DONE


def test_a_refused_release_is_dropped_and_the_serving_one_stays(work: MadeUpWork) -> None:
    work.check = Check(name="order", passed=False, sentence="it is worse")
    result = make_loop(work).run_once()
    assert (result.outcome, result.verdict) == (StepOutcome.REFUSED, "it is worse")
    assert (work.read_serving(), work.world["releases"]) == (FIRST, [FIRST])
    assert make_loop(work).run_once().outcome is StepOutcome.NOTHING_NEW


def test_a_warning_does_not_refuse(work: MadeUpWork) -> None:
    work.check = Check(name="drift", passed=False, sentence="hour drifted", is_blocking=False)
    make_loop(work).run_once()
    gate = next(one for one in FileHistory(work.directory).read() if one.step == "gate")
    assert gate.outcome is StepOutcome.PASSED
    assert "hour drifted" in gate.verdict


def test_without_traffic_the_gate_alone_decides(work: MadeUpWork) -> None:
    work.traffic = False
    make_loop(work).run_once()
    assert ("canary", "passed") not in list_steps(work)
    assert work.read_serving() != FIRST


@pytest.mark.parametrize("step", ["shadow", "canary", "watched"])
def test_a_step_that_waits_ends_the_call_and_goes_on_in_the_next(work: MadeUpWork, step: str) -> None:
    setattr(work, step, Trend.WAIT)
    first = make_loop(work).run_once()
    assert first.outcome is StepOutcome.WAITING
    assert first.state.since is not None
    assert make_loop(work).run_once().state == first.state
    setattr(work, step, Trend.GOOD)
    assert make_loop(work).run_once().outcome is StepOutcome.DONE
    assert work.calls.count("build") == 1


@pytest.mark.parametrize(
    ("step", "trend", "outcome"),
    [
        ("shadow", Trend.BAD, StepOutcome.REFUSED),
        ("canary", Trend.BAD, StepOutcome.REFUSED),
        ("canary", Trend.STOPPED, StepOutcome.SKIPPED),
        ("watched", Trend.BAD, StepOutcome.ROLLED_BACK),
    ],
)
def test_a_bad_release_does_not_serve(
    work: MadeUpWork, step: str, trend: Trend, outcome: StepOutcome
) -> None:
    setattr(work, step, trend)
    assert make_loop(work).run_once().outcome is outcome
    assert work.read_serving() == FIRST


def test_two_runs_at_once_are_refused(work: MadeUpWork) -> None:
    with (
        acquire_job_lock(work.directory / LOCK_FILE, 0, "another run of the loop"),
        raises_code(Conflict, "job_running"),
    ):
        make_loop(work).run_once()


def test_a_damaged_state_says_what_to_do(work: MadeUpWork) -> None:
    work.directory.mkdir()
    StateFile(work.directory).path.write_text("{")
    with raises_code(Unavailable, "invalid_loop_state"):
        make_loop(work).run_once()


def test_a_line_that_a_kill_cut_is_left_out(work: MadeUpWork) -> None:
    make_loop(work).run_once()
    before = list_steps(work)
    history = FileHistory(work.directory)
    with history.path.open("ab") as file:
        file.write(b'{"run": "run-2')
    assert list_steps(work) == before
    work.change(events=2)
    make_loop(work).run_once()
    assert len(list_steps(work)) == 2 * len(before)


@pytest.mark.parametrize("phase", ["begun", "done", "recorded"])
@pytest.mark.parametrize("step", ALL_STEPS)
def test_a_run_that_is_killed_in_a_step_ends_as_if_it_was_not(
    work: MadeUpWork, step: Step, phase: str
) -> None:
    if step is Step.ROLL_BACK:
        work.watched = Trend.BAD
    process = get_context("fork").Process(target=run_until_killed, args=(work, step, phase))
    process.start()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    assert StateFile(work.directory).read().step is step
    result = make_loop(work).run_once()
    assert result.state.step is Step.IDLE
    expected = {name for name, _ in list_steps(work)}
    assert expected >= {"export", "label", "build", "gate", "promote", "watch"}
    assert len(list_steps(work)) == len(expected)
    assert len(work.world["releases"]) == 2
    assert (work.read_serving() == FIRST) is (step is Step.ROLL_BACK)


def run_until_killed(work: MadeUpWork, step: Step, phase: str) -> None:
    """Runs the loop in a process of its own, which kills itself in a step."""

    def kill(reached: Step, at: str) -> None:
        if (reached, at) == (step, phase):
            os.kill(os.getpid(), signal.SIGKILL)

    replace(make_loop(work), on_step=kill).run_once()

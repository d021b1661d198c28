"""The runs of the loop on the operator page: which decisions say how a run ended, and why."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from reelrank.app.release.record import ReleaseRecord
from reelrank.app.web.ops.timeline import LoopRun, list_runs
from reelrank.ranking.registry.decisions import Decision, StepOutcome

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED = (("build", StepOutcome.DONE), ("gate", StepOutcome.REFUSED))
PROMOTED = (
    ("gate", StepOutcome.PASSED),
    ("canary", StepOutcome.PASSED),
    ("promote", StepOutcome.PROMOTED),
    ("watch", StepOutcome.DONE),
)
ROLLED_BACK = (
    *PROMOTED[:3],
    ("watch", StepOutcome.REFUSED),
    ("roll back", StepOutcome.ROLLED_BACK),
)


def decide(run: str, steps: Sequence[tuple[str, StepOutcome]], hour: int = 0) -> list[Decision]:
    at = BEGIN + timedelta(hours=hour)
    return [
        Decision(run=run, step=step, at=at, outcome=outcome, verdict="why", release=f"release-{run}")
        for step, outcome in steps
    ]


def name_reasons(run: LoopRun) -> list[str]:
    return [one.step for one in run.reasons]


def test_a_refusal_is_its_own_reason() -> None:
    (run,) = list_runs(decide("a", REFUSED), 10)
    assert name_reasons(run) == ["gate"]
    assert [one.step for one in run.steps] == ["build", "gate"]


def test_a_promotion_is_shown_with_what_passed_it_and_how_it_did() -> None:
    (run,) = list_runs(decide("a", PROMOTED), 10)
    assert name_reasons(run) == ["canary", "promote", "watch"]


def test_a_rollback_is_shown_with_what_was_worse() -> None:
    (run,) = list_runs(decide("a", ROLLED_BACK), 10)
    assert name_reasons(run) == ["watch", "roll back"]


def test_a_run_that_goes_on_shows_how_far_it_is() -> None:
    (run,) = list_runs(decide("a", [("build", StepOutcome.DONE), ("shadow", StepOutcome.WAITING)]), 10)
    assert name_reasons(run) == ["shadow"]


def test_the_newest_runs_come_first() -> None:
    decisions = [one for hour in range(3) for one in decide(f"{hour}", REFUSED, hour)]
    assert [run.release for run in list_runs(decisions, 2)] == ["release-2", "release-1"]


def test_decisions_about_others_stand_apart() -> None:
    own, other = decide("a", PROMOTED), decide("b", REFUSED)
    record = ReleaseRecord("release-a", None, "serving", [*own, *other])
    assert (record.own, record.meanwhile) == (own, other)


def test_runs_that_found_nothing_to_do_are_left_out_but_the_newest() -> None:
    idle = [
        Decision(run=f"{n}", step="export", at=BEGIN, outcome=StepOutcome.DONE, verdict="new") for n in "xy"
    ]
    assert len(list_runs([*idle, *decide("a", REFUSED, 1)], 10)) == 1
    assert len(list_runs(idle, 10)) == 1

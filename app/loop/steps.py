"""One function for each step of the loop: from the state to what was decided and the state that follows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reelrank.app.loop.states import LoopState, Step
from reelrank.app.loop.work import LoopWork, Observation, Trend
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.decisions import Check, StepOutcome, find_failed, summarize_checks


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step decided. state: the next one. is_recorded: nothing new is no decision.

    A step that waits ends this call of the command, and so does one that returns to IDLE.
    """

    outcome: StepOutcome
    verdict: str
    state: LoopState
    inputs: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    is_recorded: bool = True


def export(work: LoopWork, state: LoopState) -> StepResult:
    """Copies events into the lake and measures its days; what is not new is not done again."""
    found = work.export()
    if found.hash == state.learned:
        verdict = "nothing is new since the last run"
        return StepResult(StepOutcome.NOTHING_NEW, verdict, state.finish(), found.facts, is_recorded=False)
    if found.measurable != state.measured:
        work.measure_days()
    verdict = "the lake has what happened since the last run"
    following = state.move_to(Step.LABEL, read=found.hash, measured=found.measurable)
    return StepResult(StepOutcome.DONE, verdict, following, found.facts)


def label(work: LoopWork, state: LoopState) -> StepResult:
    """Counts the requests whose outcome is known. Too few of them leave the run for later."""
    found = work.label(state.learned_until_ms)
    figures = {"requests": float(found.requests), "answered": float(found.answered)}
    missing = ""
    if found.answered < found.least and found.has_model:
        missing = f"{found.answered:,} new requests led to a play; a training needs {found.least:,}"
    elif not found.can_be_judged:
        missing = (
            f"{found.judged:,} of the newest requests led to a play; the gate needs {found.least_judged:,} "
            "in REELRANK_GATE_HOURS"
        )
    if missing:
        verdict = f"too little to learn from: {missing}"
        return StepResult(
            StepOutcome.NOTHING_NEW, verdict, state.abandon(), figures=figures, is_recorded=False
        )
    verdict = f"{found.answered:,} of {found.requests:,} new requests led to a play"
    following = state.move_to(Step.BUILD, read_until_ms=found.until_ms)
    return StepResult(StepOutcome.DONE, verdict, following, figures=figures)


def build(work: LoopWork, state: LoopState) -> StepResult:
    """Trains a model and builds its index version, as a release that does not serve yet."""
    baseline = work.read_serving()
    try:
        built = work.build(state.run)
    except (NotFound, ModelRejected) as error:
        return StepResult(StepOutcome.FAILED, str(error), state.abandon())
    following = state.move_to(Step.GATE, release=built.release, baseline=baseline)
    verdict = f"it learned from {built.learned_from}"
    return StepResult(StepOutcome.DONE, verdict, following, built.inputs, built.figures)


def gate(work: LoopWork, state: LoopState) -> StepResult:
    """Judges the release before any viewer sees it."""
    try:
        checks = tuple(work.judge(state.release))
    except (NotFound, ModelRejected) as error:
        work.discard(state.release)
        return StepResult(StepOutcome.REFUSED, str(error), state.finish())
    verdict = summarize_checks(checks)
    if find_failed(checks):
        work.discard(state.release)
        return StepResult(StepOutcome.REFUSED, verdict, state.finish(), checks=checks)
    following = Step.SHADOW if work.has_traffic() else Step.PROMOTE
    if following is Step.PROMOTE:
        verdict += "; there is no traffic to try it on"
    return StepResult(StepOutcome.PASSED, verdict, state.move_to(following), checks=checks)


def shadow(work: LoopWork, state: LoopState) -> StepResult:
    """Ranks requests by the release off the request path."""
    return _follow(work, state, work.observe_shadow(state.release, state.since), Step.CANARY)


def canary(work: LoopWork, state: LoopState) -> StepResult:
    """Serves a share of viewers by the release."""
    return _follow(work, state, work.observe_canary(state.release, state.since), Step.PROMOTE)


def _follow(work: LoopWork, state: LoopState, seen: Observation, following: Step) -> StepResult:
    checks = tuple(seen.checks)
    if seen.trend is Trend.WAIT:
        waiting = state.model_copy(update={"since": state.since or work.now()})
        return StepResult(StepOutcome.WAITING, seen.sentence, waiting, figures=seen.figures, checks=checks)
    if seen.trend is Trend.GOOD:
        return StepResult(
            StepOutcome.PASSED, seen.sentence, state.move_to(following), figures=seen.figures, checks=checks
        )
    work.discard(state.release)
    outcome = StepOutcome.SKIPPED if seen.trend is Trend.STOPPED else StepOutcome.REFUSED
    return StepResult(outcome, seen.sentence, state.finish(), figures=seen.figures, checks=checks)


def promote(work: LoopWork, state: LoopState) -> StepResult:
    """Makes the release serve."""
    try:
        work.promote(state.release)
    except (NotFound, ModelRejected) as error:
        return StepResult(StepOutcome.FAILED, str(error), state.abandon())
    verdict = f"{state.release} serves in place of {state.baseline or 'no release'}"
    return StepResult(StepOutcome.PROMOTED, verdict, state.move_to(Step.WATCH, since=work.now()))


def watch(work: LoopWork, state: LoopState) -> StepResult:
    """Watches the promoted release for some hours."""
    since = state.since or work.now()
    seen = work.observe_promoted(state.release, state.baseline, since)
    figures, checks = seen.figures, tuple(seen.checks)
    if seen.trend is Trend.WAIT:
        waiting = state.model_copy(update={"since": since})
        return StepResult(StepOutcome.WAITING, seen.sentence, waiting, figures=figures, checks=checks)
    if seen.trend is Trend.BAD:
        following = state.move_to(Step.ROLL_BACK)
        return StepResult(StepOutcome.REFUSED, seen.sentence, following, figures=figures, checks=checks)
    return StepResult(StepOutcome.DONE, seen.sentence, state.finish(), figures=figures, checks=checks)


def roll_back(work: LoopWork, state: LoopState) -> StepResult:
    """Makes the release before serve again."""
    work.roll_back(state.release, state.baseline)
    verdict = f"{state.baseline} serves again in place of {state.release}"
    return StepResult(StepOutcome.ROLLED_BACK, verdict, state.finish())


STEPS: Mapping[Step, Callable[[LoopWork, LoopState], StepResult]] = {
    Step.EXPORT: export,
    Step.LABEL: label,
    Step.BUILD: build,
    Step.GATE: gate,
    Step.SHADOW: shadow,
    Step.CANARY: canary,
    Step.PROMOTE: promote,
    Step.WATCH: watch,
    Step.ROLL_BACK: roll_back,
}

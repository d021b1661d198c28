"""The runs of the loop, each with the decisions that say how it ended and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from reelrank.ranking.registry.decisions import TURNS, Decision, find_reason


@dataclass(frozen=True, slots=True)
class LoopRun:
    """One run. reasons: how it ended and why, or how far it is. steps: all decisions. Oldest first."""

    release: str
    reasons: Sequence[Decision]
    steps: Sequence[Decision]


def list_runs(decisions: Sequence[Decision], most: int) -> list[LoopRun]:
    """Groups decisions, oldest first, by run; returns the newest runs first, at most so many.

    Runs that found nothing to do are left out, unless it is the newest.
    """
    steps = dict[str, list[Decision]]()
    for decision in decisions:
        steps.setdefault(decision.run, []).append(decision)
    newest = sorted(steps.values(), key=lambda run: run[-1].at, reverse=True)
    reported = [run for run in newest if run is newest[0] or any(map(_is_reported, run))]
    return [LoopRun(run[-1].release, select_reasons(run), run) for run in reported[:most]]


def select_reasons(steps: Sequence[Decision]) -> Sequence[Decision]:
    """Returns the last turn of a run, with what explains it and what followed; without one, the last step."""
    turns = [one for one in steps if one.outcome in TURNS]
    return steps[steps.index(find_reason(steps, turns[-1])) :] if turns else steps[-1:]


def _is_reported(decision: Decision) -> bool:
    return bool(decision.release) or decision.outcome in TURNS

"""Which release ranks a request: the serving one, or the canary for the viewers that it was given."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from reelrank.app.search.result_list import ResultList
from reelrank.app.state.snapshot import State
from reelrank.app.state.trials import Trial
from reelrank.index_mappings.errors import CodedError, Degradation, EngineError
from reelrank.index_mappings.event import Event
from reelrank.ranking.experiments.assignment import CANARY

log = structlog.get_logger("reelrank.trial")
FAILED_SOURCE = "canary"
"""Names a page whose canary failed, and which the serving release answered."""


def rank_by_arm(trial: Trial, viewer: str, rank: Callable[[State | None], ResultList]) -> ResultList:
    """Ranks a request by the release of the viewer's arm. viewer: keyed hash, empty when unknown.

    rank: ranks by the state of a release, None for the serving one. A canary that fails never fails a page:
    the serving release answers, the page says so, and the canary is judged by it.
    """
    experiment, variant = trial.find_arm(viewer)
    if variant != CANARY:
        return replace(rank(None), experiment=experiment, variant=variant)
    try:
        ranked = rank(trial.canary_state)
    except Exception as error:  # whatever it is, the viewer must not see it
        log.warning("the canary failed, the serving release answers", reason=repr(error)[:300])
        ranked, code = rank(None), error.code if isinstance(error, CodedError) else "internal_error"
        failed = Degradation(FAILED_SOURCE, code, "the canary failed")
        ranked = replace(ranked, degraded=(*ranked.degraded, failed))
    return replace(ranked, experiment=experiment, variant=variant)


def state_arms(trial: Trial, identify: Callable[[str], str], events: Sequence[Event]) -> Sequence[Event]:
    """Returns events with the arm of their viewer while a canary runs.

    Only events that name their page: others follow from no arm. What a client states stays.
    """
    if trial.canary_state is None:
        return events
    return [_state_arm(trial, identify, event) for event in events]


def _state_arm(trial: Trial, identify: Callable[[str], str], event: Event) -> Event:
    if not event.request_id or not event.user or event.experiment:
        return event
    try:
        experiment, variant = trial.find_arm(identify(event.user))
    except EngineError:  # without the secret no viewer has an arm; the event must be stored
        return event
    release = event.release or (trial.canary_release if variant == CANARY else trial.serving)
    return replace(event, experiment=experiment, variant=variant, release=release)

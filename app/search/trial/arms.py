"""Which release ranks a request: the serving one, or the canary for the viewers that it was given.

Also the arms of a page, and of what viewers do with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from reelrank.app.search.ports import Assigner
from reelrank.app.search.result_list import ResultList
from reelrank.app.state.snapshot import State
from reelrank.app.state.trials import Trial
from reelrank.index_mappings.decision import identify_session
from reelrank.index_mappings.errors import CodedError, Degradation, EngineError
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Query
from reelrank.ranking.experiments.assignment import CANARY, ArmNames, join_arms
from reelrank.ranking.experiments.experiment import AssignedPage

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
        return _add_arm(rank(None), (experiment, variant))
    try:
        ranked = rank(trial.canary_state)
    except Exception as error:  # whatever it is, the viewer must not see it
        log.warning("the canary failed, the serving release answers", reason=repr(error)[:300])
        ranked, code = rank(None), error.code if isinstance(error, CodedError) else "internal_error"
        failed = Degradation(FAILED_SOURCE, code, "the canary failed")
        ranked = replace(ranked, degraded=(*ranked.degraded, failed))
    return _add_arm(ranked, (experiment, variant))


def _add_arm(ranked: ResultList, arm: ArmNames) -> ResultList:
    experiment, variant = join_arms((arm, (ranked.experiment, ranked.variant)))
    return replace(ranked, experiment=experiment, variant=variant)


def find_unit(identify: Callable[[str], str], query: Query) -> str:
    """Returns whom experiments assign: the key of the viewer, else of the session; empty without either."""
    if query.user:
        return identify(query.user)
    return identify_session(identify, query.session)


def state_arms(
    trial: Trial, assigner: Assigner, identify: Callable[[str], str], events: Sequence[Event]
) -> Sequence[Event]:
    """Returns events with the arms of their viewer while a canary or an experiment runs.

    Only events that name their page: others follow from no arm. What a client states stays.
    """
    if trial.canary_state is None and not trial.experiments:
        return events
    return [_state_arm(trial, assigner, identify, event) for event in events]


def _state_arm(trial: Trial, assigner: Assigner, identify: Callable[[str], str], event: Event) -> Event:
    if not event.request_id or event.experiment or not (event.user or event.session):
        return event
    try:
        viewer = identify(event.user)
        unit = viewer or identify_session(identify, event.session)
    except EngineError:  # without the secret no viewer has an arm; the event must be stored
        return event
    canary, page = trial.find_arm(viewer), AssignedPage(unit, event.surface, event.device, event.country)
    experiment, variant = join_arms((canary, assigner.find_arms(page)))
    if trial.canary_state is None:
        return replace(event, experiment=experiment, variant=variant)
    release = event.release or (trial.canary_release if canary[1] == CANARY else trial.serving)
    return replace(event, experiment=experiment, variant=variant, release=release)

"""Experiments on the request path: each request is ranked as its arm states, and says which arm that was."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import structlog

from reelrank.app.search.ports import Assigner, Assignment, Rival
from reelrank.app.state.refresher import StateRefresher
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.errors import CodedError, Degradation
from reelrank.index_mappings.query import Query
from reelrank.ranking.experiments.assignment import ArmNames, join_arms
from reelrank.ranking.experiments.definition import ArmDefinition, ExperimentDefinition
from reelrank.ranking.experiments.experiment import AssignedPage, Experiment
from reelrank.ranking.interleaving import Contest, rank_interleaved
from reelrank.ranking.pipeline import Ranking, RankingContext, SourceRunner, rank_request
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.viewers.request import RankingRequest

log = structlog.get_logger("reelrank.trial")
FAILED_SOURCE = "experiment"
"""Names a page whose arm has a model that failed, and which the serving model ranked."""
Values = frozenset[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class FoundArm:
    """An experiment that a page is in, and its arm there; of an interleaved page, the first."""

    definition: ExperimentDefinition
    arm: ArmDefinition

    @property
    def is_interleaved(self) -> bool:
        return self.definition.interleave


@dataclass(frozen=True, slots=True)
class ExperimentAssigner:
    """Adds the arms of running experiments to what another assigner returns.

    list_running: returns the experiments, from memory. Where two arms set the same value, the experiment
    whose name comes last in the alphabet wins, in every worker.
    """

    base: Assigner
    list_running: Callable[[], tuple[Experiment, ...]]

    def assign(self, query: Query, unit: str = "", release: Mapping[str, float] | None = None) -> Assignment:
        assigned = self.base.assign(query, unit, release)
        page = AssignedPage(unit, query.kind, query.context.device, query.context.country)
        found = self._find(page)
        if not found:
            return assigned
        combined = _combine(assigned.config, found)
        rival = next((_build_rival(assigned.config, found, one) for one in found if one.is_interleaved), None)
        return replace(combined, arms=_name_arms(found), rival=rival)

    def find_arms(self, page: AssignedPage) -> ArmNames:
        return _name_arms(self._find(page))

    def _find(self, page: AssignedPage) -> list[FoundArm]:
        """Returns the arms of a page. It is interleaved by one experiment: the first in the alphabet."""
        if not page.unit:
            return []
        arms = [(experiment, experiment.find_arm(page)) for experiment in self.list_running()]
        found = [FoundArm(experiment.definition, arm) for experiment, arm in arms if arm is not None]
        interleaved = [one for one in found if one.is_interleaved]
        return [one for one in found if one not in interleaved[1:]]


def _name_arms(found: Sequence[FoundArm]) -> ArmNames:
    return join_arms((one.definition.name, one.definition.name_variant(one.arm)) for one in found)


def _combine(config: RankingConfig, found: Sequence[FoundArm]) -> Assignment:
    """Returns a config with the values of all arms, and the model of the last one that states a model."""
    values = {name: value for one in found for name, value in one.arm.config.items()}
    model = next((one.arm.model for one in reversed(found) if one.arm.model), "")
    return Assignment(_apply_arms(config, frozenset(values.items())) if values else config, model=model)


def _build_rival(config: RankingConfig, found: Sequence[FoundArm], interleaved: FoundArm) -> Rival:
    definition = interleaved.definition
    first, second = definition.arms
    others = [replace(one, arm=second) if one is interleaved else one for one in found]
    return Rival(_combine(config, others), (first.name, second.name), definition.salt or definition.name)


@lru_cache(maxsize=256)
def _apply_arms(config: RankingConfig, values: Values) -> RankingConfig:
    return config.with_values(dict(values))


def choose_arm_ranker(
    refresher: StateRefresher, stated: str | None, assignment: Assignment, state: State
) -> tuple[Ranker, tuple[Degradation, ...]]:
    """Returns the model of a request: the one that it states, else that of its arm, else the serving one.

    A model of an arm that does not fit never fails a page: the serving model ranks it, and the page says so.
    """
    if stated is not None or not assignment.model:
        return refresher.choose_ranker(stated, state)
    try:
        return refresher.choose_ranker(assignment.model, state)
    except Exception as error:  # whatever it is, the viewer must not see it
        log.warning("the model of an arm failed, the serving one ranks", reason=repr(error)[:300])
        ranker, degraded = refresher.choose_ranker(None, state)
        code = error.code if isinstance(error, CodedError) else "internal_error"
        return ranker, (*degraded, Degradation(FAILED_SOURCE, code, "the model of the arm failed"))


def choose_pipeline(
    refresher: StateRefresher, assignment: Assignment, context: RankingContext, state: State
) -> Callable[[RankingRequest, SourceRunner], Ranking]:
    """Returns what ranks a request: by one config, or by both of an interleaved page.

    A list with a stated order is not interleaved: both arms would be the same.
    """
    rival = assignment.rival

    def rank(request: RankingRequest, run_sources: SourceRunner) -> Ranking:
        if rival is None or request.query.sort != "relevance":
            return rank_request(request, context, run_sources)
        ranker, degraded = choose_arm_ranker(refresher, None, rival.assignment, state)
        missing = tuple(one for one in degraded if one not in context.degraded)
        second = replace(context, ranker=ranker, config=rival.assignment.config, degraded=missing)
        seed = derive_draft_seed(rival.salt, context.seed, request.query.text or "")
        return rank_interleaved(request, Contest(context, second, rival.teams, seed), run_sources)

    return rank


def derive_draft_seed(salt: str, seed: int, text: str) -> int:
    """Derives the seed of the coins: for a viewer, a day and a list or text, so that a page stays the same.

    seed: of the request, as exploration has it.
    """
    parts = (salt, str(seed), text)
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode(errors="replace")).digest()[:8])

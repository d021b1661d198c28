"""Experiments on the request path: each request is ranked as its arm states, and says which arm that was."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import structlog

from reelrank.app.search.ports import Assigner, Assignment
from reelrank.app.state.refresher import StateRefresher
from reelrank.app.state.snapshot import State
from reelrank.index_mappings.errors import CodedError, Degradation
from reelrank.index_mappings.query import Query
from reelrank.ranking.experiments.assignment import ArmNames, join_arms
from reelrank.ranking.experiments.definition import ArmDefinition
from reelrank.ranking.experiments.experiment import AssignedPage, Experiment
from reelrank.ranking.policies.config import RankingConfig
from reelrank.ranking.rankers.lambdarank import Ranker

log = structlog.get_logger("reelrank.trial")
FAILED_SOURCE = "experiment"
"""Names a page whose arm has a model that failed, and which the serving model ranked."""
Values = frozenset[tuple[str, float]]


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
        arms = self._find(page)
        if not arms:
            return assigned
        values = {name: value for _, arm in arms for name, value in arm.config.items()}
        config = _apply_arms(assigned.config, frozenset(values.items())) if values else assigned.config
        model = next((arm.model for _, arm in reversed(arms) if arm.model), "")
        return Assignment(config, join_arms((one.name, arm.name) for one, arm in arms), model)

    def find_arms(self, page: AssignedPage) -> ArmNames:
        return join_arms((experiment.name, arm.name) for experiment, arm in self._find(page))

    def _find(self, page: AssignedPage) -> list[tuple[Experiment, ArmDefinition]]:
        if not page.unit:
            return []
        found = [(experiment, experiment.find_arm(page)) for experiment in self.list_running()]
        return [(experiment, arm) for experiment, arm in found if arm is not None]


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

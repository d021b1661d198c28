"""The one ranking pipeline: retrieve, observe, compute features, score, apply policies.

Serving, `/v1/rank` and the backtest all rank through it, so a step that is added here is in all of them.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.errors import Degradation, EngineError, describe_failure
from reelrank.index_mappings.match import Matches
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.policies.config import Policy, RandomPolicy, RankingConfig
from reelrank.ranking.policies.policy import Order, PositionChange, ScoredCandidates
from reelrank.ranking.policies.sorting import sort_candidates
from reelrank.ranking.policies.team_draft import Teams
from reelrank.ranking.rankers.blending import blend_rankers
from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker, get_calibration, ranks_cold_start
from reelrank.ranking.retrieval.candidates import LocatedCandidates, build_candidates
from reelrank.ranking.retrieval.sources import SourceRequest, plan_sources
from reelrank.ranking.signals.observe import Signals, observe
from reelrank.ranking.viewers.request import RankingRequest

Measure = Callable[[str], AbstractContextManager[None]]
"""Times the block of one stage, given its name."""


def ignore_timing(_stage: str) -> AbstractContextManager[None]:
    """Measures nothing."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class SourceAnswers:
    """The matches of the sources that answered, and what is missing from them."""

    matches: Sequence[Matches]
    degraded: tuple[Degradation, ...] = ()


SourceRunner = Callable[[Sequence[SourceRequest]], SourceAnswers]
"""Answers all source requests of one ranking request, in their order."""


@dataclass(frozen=True, slots=True, eq=False)
class RankingContext:
    """What a request is ranked with.

    table: the request was built with it. degraded: what was missing before retrieval. seed: for policies
    that pick at random.
    """

    table: ItemTable
    popularity: Popularity
    ranker: Ranker
    config: RankingConfig
    degraded: tuple[Degradation, ...] = ()
    seed: int = 0
    measure: Measure = ignore_timing


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The result: n candidates with scores [n] and signals, in fused order; `order` [n] is the order to show.

    model: whose scores they are; calibration: of that model, None without one. changes: what policies
    changed, with the seed that they drew with. degraded: everything that is missing. asked: the sources that
    were asked, whether or not they answered. teams [n]: of an interleaved list, which of two rankings put a
    candidate there (`team_draft.py`); None otherwise. team_names: of both.
    """

    found: LocatedCandidates
    signals: Signals
    scores: NDArray[np.float32]
    order: Order
    model: str
    changes: tuple[PositionChange, ...]
    degraded: tuple[Degradation, ...]
    calibration: Calibration | None = None
    seed: int = 0
    asked: tuple[str, ...] = ()
    teams: Teams | None = None
    team_names: tuple[str, ...] = ()


def rank_request(request: RankingRequest, context: RankingContext, run_sources: SourceRunner) -> Ranking:
    """Retrieves candidates and ranks them. Raises what `run_sources` raises."""
    with context.measure("sources"):
        requests = plan_sources(request, context.table, context.config)
        answers = run_sources(requests)
    with context.measure("fuse"):
        found = build_candidates(request, answers.matches, context.table)
    ranking = rank_candidates(request, found, context, answers.degraded)
    return replace(ranking, asked=tuple(source.source for source in requests))


def rank_candidates(
    request: RankingRequest,
    found: LocatedCandidates,
    context: RankingContext,
    missing: tuple[Degradation, ...] = (),
) -> Ranking:
    """Scores candidates, and orders them by the policies or as the query states.

    Equal scores keep the fused order. missing: what the sources did not answer.
    """
    with context.measure("signals"):
        signals = observe(request, found, context.table, context.popularity)
    return rank_observed(request, found, signals, context, missing)


def rank_observed(
    request: RankingRequest,
    found: LocatedCandidates,
    signals: Signals,
    context: RankingContext,
    missing: tuple[Degradation, ...] = (),
) -> Ranking:
    """Scores candidates whose signals are observed, and orders them."""
    ranker = blend_rankers(context.ranker, context.config.blend)
    with context.measure("features"):
        features = compute_features(signals, ranker.feature_names)
    with context.measure("score"):
        scores, model, failure = _score(ranker, features)
    degraded = (*context.degraded, *missing, *failure)
    calibration = get_calibration(ranker) if model == ranker.name else None
    fused_order = np.arange(len(scores))
    ranking = Ranking(found, signals, scores, fused_order, model, (), degraded, calibration, context.seed)
    return order_scored(request, ranking, context)


def order_scored(request: RankingRequest, ranking: Ranking, context: RankingContext) -> Ranking:
    """Orders scored candidates by the policies of a config, or as the query states."""
    with context.measure("explore"):
        if request.query.sort != "relevance":
            return replace(ranking, order=sort_candidates(_collect_scores(request, ranking, context)))
        by_score = np.lexsort((np.arange(len(ranking.scores)), -ranking.scores))
        ranking = replace(ranking, order=by_score)
        return _apply_policies(context.config.policies, request, ranking, context)


def explore_order(request: RankingRequest, ranking: Ranking, context: RankingContext) -> Ranking:
    """Applies those policies of a config that pick at random to an order that is made."""
    policies = tuple(one for one in context.config.policies if isinstance(one, RandomPolicy))
    with context.measure("explore"):
        return _apply_policies(policies, request, ranking, context)


def _score(
    ranker: Ranker, features: NDArray[np.float32]
) -> tuple[NDArray[np.float32], str, tuple[Degradation, ...]]:
    """Returns the scores [n] and whose they are: the fused order's when the ranker does not answer."""
    try:
        return ranker.score(features), ranker.name, ()
    except EngineError as error:
        return FusedOrder().score(features), FusedOrder.name, (describe_failure("ranking", error),)


def _collect_scores(request: RankingRequest, ranking: Ranking, context: RankingContext) -> ScoredCandidates:
    candidates = ranking.found.candidates
    return ScoredCandidates(
        request.query,
        candidates.ids,
        ranking.found.rows,
        ranking.scores,
        candidates.get_scores_by_source(),
        context.table,
        context.popularity,
        context.seed,
        ranking.model,
        ranking.signals.columns,
        candidates.all_words,
        _is_cold_start(request, ranking, context),
    )


def _is_cold_start(request: RankingRequest, ranking: Ranking, context: RankingContext) -> bool:
    """Returns whether nothing is known of the viewer, and no scores of a model that is proven for this."""
    if request.viewer.has_past:
        return False
    return ranking.model != context.ranker.name or not ranks_cold_start(context.ranker)


def _apply_policies(
    policies: tuple[Policy, ...], request: RankingRequest, ranking: Ranking, context: RankingContext
) -> Ranking:
    """Applies policies in order. A degraded ranking is not explored: nothing could be learned from it."""
    config = context.config.without_exploration() if ranking.degraded else context.config
    scored, order, changes = _collect_scores(request, ranking, context), ranking.order, ranking.changes
    for policy in policies:
        result = policy.apply(order, scored, config)
        order, changes = result.order, (*changes, *result.changes)
    return replace(ranking, order=order, changes=changes)

"""Interleaved pages: two ways of ranking a request, merged into one list, retrieved and observed once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reelrank.index_mappings.match import Matches
from reelrank.ranking.pipeline import (
    Ranking,
    RankingContext,
    SourceAnswers,
    SourceRunner,
    explore_order,
    order_scored,
    rank_candidates,
    rank_observed,
)
from reelrank.ranking.policies.policy import Order
from reelrank.ranking.policies.team_draft import NO_TEAM, draft_teams
from reelrank.ranking.retrieval.candidates import build_candidates
from reelrank.ranking.retrieval.sources import SourceRequest, plan_sources
from reelrank.ranking.viewers.request import RankingRequest


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """Two ways of ranking one request. names: of their arms. seed: of the draft.

    The first is the one that scores are shown and logged of, and whose config the page has otherwise.
    """

    first: RankingContext
    second: RankingContext
    names: tuple[str, str]
    seed: int


def rank_interleaved(request: RankingRequest, contest: Contest, run_sources: SourceRunner) -> Ranking:
    """Ranks both ways, without exploration, merges them by team draft, and explores the merged list.

    An explored item has no team. Raises what `run_sources` raises.
    """
    first, second = (
        replace(one, config=one.config.without_exploration()) for one in (contest.first, contest.second)
    )
    plans = [plan_sources(request, one.table, one.config) for one in (first, second)]
    requests = _merge_plans(*plans)
    with first.measure("sources"):
        answers = run_sources(requests)
    with first.measure("fuse"):
        found = build_candidates(request, answers.matches, first.table)
    whole = rank_candidates(request, found, first, answers.degraded)
    rankings = [
        _rank_again(request, whole, first, one)
        if _get_limits(plan) == _get_limits(requests)
        else _rank_part(request, answers, plan, one)
        for plan, one in zip(plans, (first, second), strict=True)
    ]
    merged = _merge(whole, rankings, contest.seed)
    missing = [one for one in (*second.degraded, *rankings[1].degraded) if one not in merged.degraded]
    merged = replace(merged, degraded=(*merged.degraded, *dict.fromkeys(missing)))
    explored = _explore(request, merged, contest.first)
    asked = tuple(source.source for source in requests)
    return replace(explored, asked=asked, team_names=contest.names)


def _merge_plans(first: Sequence[SourceRequest], second: Sequence[SourceRequest]) -> list[SourceRequest]:
    """Returns one request for each source of either plan, for as many candidates as the larger asks for."""
    largest = {one.source: one for one in first}
    for one in second:
        if one.source not in largest or one.limit > largest[one.source].limit:
            largest[one.source] = one
    return list(largest.values())


def _get_limits(plan: Sequence[SourceRequest]) -> dict[str, int]:
    """Returns the limits by source: plans of one request differ in nothing else."""
    return {one.source: one.limit for one in plan}


def _rank_again(
    request: RankingRequest, ranking: Ranking, first: RankingContext, second: RankingContext
) -> Ranking:
    """Ranks the candidates of the first context's ranking by either context; only another model computes
    scores again."""
    if second is first:
        return ranking
    if first.ranker is second.ranker and first.config.blend == second.config.blend:
        return order_scored(request, ranking, second)
    return rank_observed(request, ranking.found, ranking.signals, second)


def _rank_part(
    request: RankingRequest, answers: SourceAnswers, plan: Sequence[SourceRequest], context: RankingContext
) -> Ranking:
    """Ranks what the sources of one plan would have found: the best of each, up to its limit."""
    limits = _get_limits(plan)
    matches = [_cut(one, limits[one.source]) for one in answers.matches if one.source in limits]
    return rank_candidates(request, build_candidates(request, matches, context.table), context)


def _cut(matches: Matches, limit: int) -> Matches:
    has_all_words = None if matches.has_all_words is None else matches.has_all_words[:limit]
    return Matches(matches.source, matches.ids[:limit], matches.scores[:limit], has_all_words)


def _merge(whole: Ranking, rankings: Sequence[Ranking], seed: int) -> Ranking:
    """Returns the candidates of `whole` in the merged order of both rankings."""
    first, second = (_locate_order(whole, one) for one in rankings)
    drafted = draft_teams(first, second, len(whole.scores), seed)
    return replace(whole, order=drafted.order, teams=drafted.teams)


def _locate_order(whole: Ranking, ranking: Ranking) -> Order:
    """Returns the order of a ranking as positions of the candidates of `whole`."""
    if ranking.found is whole.found:
        return ranking.order
    if not len(whole.scores):
        return whole.order
    known, wanted = whole.found.candidates.ids, ranking.found.candidates.ids[ranking.order]
    sorter = np.argsort(known)
    at = sorter[np.searchsorted(known, wanted, sorter=sorter).clip(max=len(known) - 1)]
    return np.asarray(at[known[at] == wanted], np.intp)


def _explore(request: RankingRequest, merged: Ranking, context: RankingContext) -> Ranking:
    """Explores the merged list; a pick at random is no merit of a team."""
    explored = explore_order(request, merged, context)
    if not explored.changes or explored.teams is None:
        return explored
    teams = explored.teams.copy()
    teams[explored.order[[change.position for change in explored.changes]]] = NO_TEAM
    return replace(explored, teams=teams)

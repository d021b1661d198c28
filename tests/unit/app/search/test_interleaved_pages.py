"""Interleaved pages on the real engine: both teams, each in the order of its own ranking, explored once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.ports import DefaultAssigner
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.wiring import Container, build_release_manager, warm_service
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.pipeline import Ranking, rank_candidates
from reelrank.ranking.viewers.request import RankingRequest
from tests.sample_project import add_model, build_project

pytestmark = pytest.mark.slow
NOW = datetime(2026, 11, 24, tzinfo=UTC)
VIEWERS = [f"u{n}" for n in range(8)]
ARMS: dict[str, dict[str, object]] = {
    "diversity": {"config": {"diversity": 0.8}},
    "limits": {"config": {"popular": 4, "neighbours": 0, "fresh": 3}},
    "model": {"model": "second"},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Container:
    container = build_project(Path(tmp_path_factory.mktemp("interleaved")), NOW)
    add_model(container, "first", 0)
    add_model(container, "second", 1)
    build_release_manager(container).promote_model("first")
    return container


@pytest.fixture(scope="module", params=ARMS)
def service(request: pytest.FixtureRequest, project: Container) -> Iterator[SearchService]:
    arms = [{"name": "control", "share": 0.5}, {"name": "other", "share": 0.5, **ARMS[request.param]}]
    name = f"by-{request.param}"
    body = {"name": name, "hypothesis": "The other is better.", "arms": arms}
    project.experiments.create(ExperimentDefinition.model_validate({**body, "interleave": True}))
    project.experiments.start(name)
    service = warm_service(project)
    yield service
    project.experiments.stop(name)
    service.recorder.close()


def rank(service: SearchService, viewer: str, model: str | None = None, **fields: object) -> ResultList:
    query = Query(user=viewer, limit=20, context=Context(NOW), **fields)  # type: ignore[arg-type]
    return service._rank_for_viewer(RankingOptions(query, model), StageTimings())


def rank_arm(service: SearchService, viewer: str, arm: int) -> list[bytes]:
    """Returns what one arm alone would show, without exploration."""
    query = Query(user=viewer, limit=20, context=Context(NOW))
    assignment = service.assigner.assign(query, service.identify(viewer))
    assert assignment.rival is not None
    chosen = (assignment, assignment.rival.assignment)[arm]
    alone = replace(service, assigner=DefaultAssigner(chosen.config.without_exploration()))
    return list(rank(alone, viewer, chosen.model or None).candidates.ids.tolist())


def test_each_team_has_its_best_items_in_the_order_of_its_own_ranking(service: SearchService) -> None:
    differing = 0
    for viewer in VIEWERS:
        page, arms = rank(service, viewer), [rank_arm(service, viewer, arm) for arm in (0, 1)]
        assert page.variant == "interleaved"
        assert page.team_names == ("control", "other")
        assert page.teams is not None
        assert {0, 1} <= set(page.teams.tolist())
        items = page.candidates.ids.tolist()
        assert sorted(items) == sorted(set(arms[0]) | set(arms[1]))
        for team, ranking in enumerate(arms):
            places = [ranking.index(items[at]) for at in range(len(items)) if page.teams[at] == team]
            assert places == sorted(places)
        differing += arms[0] != arms[1]
    assert differing


def test_the_page_is_explored_once_and_the_pick_has_no_team(service: SearchService) -> None:
    page = rank(service, "u1")
    (slot,) = page.exploration_slots
    assert page.teams is not None
    assert page.teams[slot.position] == -1
    assert page.degraded == ()


def test_a_viewer_sees_the_same_page_again_and_others_other_coins(service: SearchService) -> None:
    pages = [rank(service, viewer) for viewer in VIEWERS]
    again = [rank(service, viewer) for viewer in VIEWERS]
    assert [p.candidates.ids.tolist() for p in pages] == [p.candidates.ids.tolist() for p in again]
    leading = [page.teams[:4].tolist() for page in pages if page.teams is not None]
    assert len({tuple(teams) for teams in leading}) > 1


def test_a_sorted_list_and_a_request_that_names_its_model_are_not_interleaved(service: SearchService) -> None:
    assert rank(service, "u1", sort="newest").teams is None
    assert rank(service, "u1", model="first").teams is None


def test_only_an_arm_with_smaller_limits_observes_its_candidates_again(
    service: SearchService, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed = list[RankingRequest]()

    def count(request: RankingRequest, *rest: Any) -> Ranking:
        observed.append(request)
        return rank_candidates(request, *rest)

    monkeypatch.setattr("reelrank.ranking.interleaving.rank_candidates", count)
    page = rank(service, "u1")
    assert len(observed) == (2 if page.experiment == "by-limits" else 1)


def test_a_search_is_interleaved_and_one_for_gibberish_is_empty(service: SearchService) -> None:
    found = rank(service, "u1", text="sea story")
    assert found.teams is not None
    assert {0, 1} <= set(found.teams.tolist())
    assert len(rank(service, "u1", text="xqzvkkw pqqzr").candidates) == 0

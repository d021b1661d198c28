"""Requests are ranked as their arm states, decisions and events name it, and nothing of it fails a page."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.search.page import RankingOptions
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.search.trial.arms import state_arms
from reelrank.app.wiring import Container, warm_service
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.experiments.definition import ExperimentDefinition
from tests.sample_project import add_model, build_project

pytestmark = pytest.mark.slow
NOW = datetime(2026, 11, 24, tzinfo=UTC)
VIEWERS = [f"u{n}" for n in range(20)]
BOTH = {"limits": {"control", "fewer"}, "models": {"serving", "tried"}}


def define(name: str, arms: list[dict[str, object]], **fields: object) -> ExperimentDefinition:
    body = {"name": name, "hypothesis": "Something gets better.", "arms": arms, **fields}
    return ExperimentDefinition.model_validate(body)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Container:
    container = build_project(Path(tmp_path_factory.mktemp("experiments")), NOW)
    add_model(container, "trial-model", 1)
    fewer = {"name": "fewer", "share": 0.5, "config": {"popular": 3, "fresh": 2}}
    tried = {"name": "tried", "share": 0.5, "model": "trial-model"}
    excluded = {"exclusions": {"surfaces": ["search"]}, "layer": "models"}
    for definition in (
        define("limits", [{"name": "control", "share": 0.5}, fewer]),
        define("models", [{"name": "serving", "share": 0.5}, tried], **excluded),
    ):
        container.experiments.create(definition)
        container.experiments.start(definition.name)
    return container


@pytest.fixture(scope="module")
def service(project: Container) -> Iterator[SearchService]:
    service = warm_service(project)
    yield service
    service.recorder.close()


def rank(
    service: SearchService, viewer: str | None, model: str | None = None, session: str = "", text: str = ""
) -> ResultList:
    query = Query(text=text or None, user=viewer, limit=5, context=Context(NOW), session=session)
    options = RankingOptions(query, model)
    return service._rank_for_viewer(options, StageTimings())


def find_arms(ranked: ResultList) -> dict[str, str]:
    names = zip(ranked.experiment.split(), ranked.variant.split(), strict=True)
    return dict(names)


def test_each_layer_gives_its_arm_and_the_one_pipeline_ranks_by_it(service: SearchService) -> None:
    pages = {viewer: rank(service, viewer) for viewer in VIEWERS}
    arms = [find_arms(page) for page in pages.values()]
    assert {name: {arm[name] for arm in arms} for name in BOTH} == BOTH
    for page in pages.values():
        arm = find_arms(page)
        assert (page.model == "trial-model") is (arm["models"] == "tried")
    ids = {arm["limits"]: page.config_id for arm, page in zip(arms, pages.values(), strict=True)}
    assert len(set(ids.values())) == 2
    again = {viewer: (page.experiment, page.variant) for viewer, page in pages.items()}
    assert {viewer: (p.experiment, p.variant) for viewer, p in
            ((v, rank(service, v)) for v in VIEWERS)} == again  # fmt: skip


def test_who_is_not_known_is_assigned_by_session_or_not_at_all(service: SearchService) -> None:
    sessions = [rank(service, None, session=f"s{n}") for n in range(12)]
    assert {find_arms(page)["limits"] for page in sessions} == BOTH["limits"]
    assert rank(service, None).experiment == ""
    assert rank(service, "u1", model="trial-model").experiment == ""
    assert find_arms(rank(service, "u1", text="sea")).keys() == {
        "limits"
    }  # searches are excluded in `models`


def test_events_of_a_page_state_the_arms_and_others_do_not(service: SearchService) -> None:
    event = Event("e1", "click", "u1", 1, "sea1", request_id="r1", surface="home")
    arms = rank(service, "u1")
    events = [event, replace(event, request_id=""), replace(event, experiment="mine", variant="x")]
    trial = service.refresher.trial
    stated = state_arms(trial, service.assigner, service.identify, events)
    assert [(one.experiment, one.variant) for one in stated] == [
        (arms.experiment, arms.variant), ("", ""), ("mine", "x")
    ]  # fmt: skip


def test_a_model_that_is_gone_degrades_the_page_and_keeps_the_arm(project: Container) -> None:
    store = project.experiments
    missing = [{"name": "control", "share": 0.5}, {"name": "gone", "share": 0.5, "model": "no-such-model"}]
    store.create(define("gone", missing, layer="gone"))
    store.start("gone")
    service = warm_service(project)
    try:
        pages = [rank(service, viewer) for viewer in VIEWERS]
        failed = [page for page in pages if find_arms(page)["gone"] == "gone"]
        assert failed
        assert all(page.candidates.ids.size for page in failed)
        assert {d.code for page in failed for d in page.degraded if d.source == "experiment"} == {
            "model_not_found"
        }
    finally:
        store.stop("gone")
        service.recorder.close()


def test_a_stopped_experiment_ends_with_the_next_refresh_and_a_damaged_file_changes_nothing(
    project: Container,
) -> None:
    service = warm_service(project)
    assert "limits" in rank(service, "u1").experiment
    path = project.experiments.directory / "models.json"
    whole = path.read_bytes()
    path.write_bytes(b"{")
    service.refresher.refresh()
    assert find_arms(rank(service, "u1")).keys() == {"limits", "models"}
    path.write_bytes(whole)
    project.experiments.stop("models")
    service.refresher.refresh()
    assert find_arms(rank(service, "u1")).keys() == {"limits"}
    service.recorder.close()

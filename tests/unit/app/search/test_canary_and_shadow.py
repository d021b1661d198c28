"""A canary serves its viewers, a shadow nobody; both end at once, and neither fails a page."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reelrank.app.feedback.decision_log import DecisionLog
from reelrank.app.jobs.lake import export_lake
from reelrank.app.loop.candidates import stage
from reelrank.app.loop.trying import collect_outcomes, judge_shadow
from reelrank.app.loop.watching import read_served_pages
from reelrank.app.release.staging import discard_release, read_staged, start_trial
from reelrank.app.search.page import Page, RankingOptions
from reelrank.app.search.result_list import ResultList
from reelrank.app.search.service import SearchService
from reelrank.app.search.stage_timings import StageTimings
from reelrank.app.search.trial.shadow import ShadowRecorder, attach_shadow, read_results
from reelrank.app.wiring import Container, build_release_manager, warm_service
from reelrank.index_mappings.errors import NO_MODEL, Degradation
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.embeddings.learn_embeddings import NO_EMBEDDINGS
from reelrank.ranking.experiments.assignment import CANARY, CONTROL
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.registry.releases import Canary
from tests.sample_project import add_model, build_project
from tests.unit.app.loop.made_up_work import NOW

pytestmark = pytest.mark.slow
VIEWERS = [f"u{n}" for n in range(30)]
RELEASE = "release-on-trial"


class BrokenRanker(FusedOrder):
    """Fails in a way that nobody has thought of."""

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        raise RuntimeError("broken")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Container:
    container = build_project(Path(tmp_path_factory.mktemp("canary")), NOW)
    stage(RELEASE, container, NO_EMBEDDINGS, ignore_progress, add_model(container, "tried", 1))
    return container


@pytest.fixture
def service(project: Container) -> Iterator[SearchService]:
    start_trial(build_release_manager(project), None, None)
    service = warm_service(project)
    yield service
    start_trial(build_release_manager(project), None, None)
    service.recorder.close()


def begin_canary(project: Container, service: SearchService, share: float = 0.4) -> Canary:
    manager = build_release_manager(project)
    canary = Canary(release=read_staged(manager, RELEASE), share=share, salt="trial", since=NOW)
    start_trial(manager, canary, None)
    follow(service)
    return canary


def follow(service: SearchService) -> None:
    """What the poll of a worker does twice a second."""
    service.refresher.refresh()
    service.refresher._trials.wait(30)  # loaded in a thread of its own
    service.refresher.refresh()
    service.refresher._trials.wait(30)


def serve(service: SearchService, viewer: str | None) -> tuple[str, str, str]:
    """The release, experiment and variant of a viewer's page."""
    query = Query(user=viewer, limit=5, context=Context(NOW))
    ranked = service._rank_for_viewer(RankingOptions(query), StageTimings())
    return ranked.release, ranked.experiment, ranked.variant


def test_a_share_of_viewers_gets_the_canary_and_keeps_it(project: Container, service: SearchService) -> None:
    serving = serve(service, "u1")[0]
    begin_canary(project, service)
    pages = {viewer: serve(service, viewer) for viewer in VIEWERS}
    assert {page[1:] for page in pages.values()} == {("trial", CANARY), ("trial", CONTROL)}
    assert all((page[0] == RELEASE) is (page[2] == CANARY) for page in pages.values())
    assert pages == {viewer: serve(service, viewer) for viewer in VIEWERS}
    assert serve(service, None) == (serving, "", "")
    start_trial(build_release_manager(project), None, None)
    service.refresher.refresh()
    assert {serve(service, viewer) for viewer in VIEWERS} == {(serving, "", "")}


def test_a_promotion_or_rollback_ends_the_trial(project: Container, service: SearchService) -> None:
    begin_canary(project, service)
    manager = build_release_manager(project)
    manager.promote_release(RELEASE)
    pointer = project.releases.read_pointer()
    assert pointer is not None
    assert (pointer.canary, pointer.shadow) == (None, None)
    began = time.monotonic()
    manager.rollback()
    service.refresher.refresh()
    assert serve(service, "u1")[0] != RELEASE
    assert time.monotonic() - began < 10
    discard_release(manager, RELEASE)  # it is the previous release: it stays
    assert read_staged(manager, RELEASE).id == RELEASE


def test_a_canary_that_fails_shows_the_serving_page(project: Container, service: SearchService) -> None:
    serving = serve(service, "u1")[0]
    begin_canary(project, service)
    trials = service.refresher._trials
    state = trials.current.canary_state
    assert state is not None
    trials.current = replace(trials.current, canary_state=replace(state, ranker=BrokenRanker()))
    viewer = next(v for v in VIEWERS if trials.current.find_arm(service.identify(v))[1] == CANARY)
    page = service.serve_page(RankingOptions(Query(user=viewer, context=Context(NOW))))
    assert page.hits
    assert "canary" in page.missing_parts
    assert {serve(service, viewer)[0] for viewer in VIEWERS} == {serving}


def test_every_event_and_decision_names_its_arm(project: Container, service: SearchService) -> None:
    canary = begin_canary(project, service)
    service.recorder.start()
    for viewer in VIEWERS:
        page = service.serve_page(RankingOptions(Query(user=viewer, limit=5, context=Context(NOW))))
        hit, at_ms = page.hits[0], round(NOW.timestamp() * 1000) + 1000
        watch = Event(
            f"w-{viewer}", "watch", viewer, at_ms, hit.item.id, 60_000, 90_000, page.request_id, hit.position
        )
        service.record_events([watch, Event(f"s-{viewer}", "search", viewer, at_ms, text="sea")])
    service.recorder.close()
    stored = list(project.events.scan(0, 2**62))
    rows = [row for batch in stored for row in batch.to_pylist() if row["experiment"] == "trial"]
    assert {row["kind"] for row in rows} == {"impression", "watch"}
    assert {(row["variant"], row["release"] == RELEASE) for row in rows} == {(CANARY, True), (CONTROL, False)}
    export_lake(project, ignore_progress)
    pages = read_served_pages(project, NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    outcomes = collect_outcomes(pages, canary.salt, NOW + timedelta(hours=2), 60)
    assert len(outcomes) == len(VIEWERS)
    assert 0 < outcomes.is_canary.sum() < len(VIEWERS)
    assert outcomes.metrics["watch time"].tolist() == [60.0] * len(VIEWERS)
    assert len(collect_outcomes(pages, canary.salt, NOW, 60)) == 0  # their hour is not over


def test_a_page_is_degraded_by_what_it_lacks_not_by_its_release(
    project: Container, service: SearchService, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary, served_at, record = begin_canary(project, service), NOW + timedelta(hours=4), DecisionLog.record

    def record_late(log: DecisionLog, ranked: ResultList, page: Page) -> None:
        missing = Degradation("factors", "timeout", "late") if ranked.variant == CANARY else NO_MODEL
        record(log, ranked, replace(page, degraded=(missing,)))

    monkeypatch.setattr(DecisionLog, "record", record_late)
    service.recorder.start()
    for viewer in VIEWERS:
        service.serve_page(RankingOptions(Query(user=viewer, limit=5, context=Context(served_at))))
    service.recorder.close()
    export_lake(project, ignore_progress)
    pages = read_served_pages(project, served_at - timedelta(hours=1), served_at + timedelta(hours=1))
    outcomes = collect_outcomes(pages, canary.salt, served_at + timedelta(hours=2), 60)
    assert len(outcomes) == len(VIEWERS)
    assert outcomes.metrics["degraded"].tolist() == outcomes.is_canary.tolist()


def test_the_shadow_ranks_what_was_served_and_shows_nothing(
    project: Container, service: SearchService
) -> None:
    serving = serve(service, "u1")[0]
    manager = build_release_manager(project)
    start_trial(manager, None, read_staged(manager, RELEASE))
    follow(service)
    shadowed = attach_shadow(service, 1.0, project.settings.loop_dir)
    for viewer in VIEWERS:
        shadowed.serve_page(RankingOptions(Query(user=viewer, limit=5, context=Context(NOW))))
    assert serve(service, "u1")[0] == serving
    recorder = shadowed.recorder
    assert isinstance(recorder, ShadowRecorder)
    recorder._rank_waiting()  # what its thread does each second
    results = read_results(project.settings.loop_dir, RELEASE)
    assert len(results) == len(VIEWERS)
    assert not any(result.error for result in results)
    checks = {check.name: check for check in judge_shadow(results)}
    assert checks["errors"].passed
    assert 0 < checks["agreement"].figures["overlap"] <= 1
    assert checks["scores"].figures["deviation"] > 0
    failed = judge_shadow([replace(result, error="broken") for result in results])
    assert not failed[0].passed

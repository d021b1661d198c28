"""What the log says a release would earn: as the exploration report says of the serving one, or refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from reelrank.app.jobs.experiments.preview import preview_release
from reelrank.app.search.page import RankingOptions
from reelrank.app.wiring import Container, build_release_manager, warm_service
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import Event
from reelrank.index_mappings.query import Context, Query
from reelrank.ranking.evaluation.off_policy import SLOT_COLUMNS, collect_slot_outcomes, estimate_slot_value
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.registry.releases import Release
from tests.raised import raises_code
from tests.sample_project import add_model, build_project

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC)
VIEWERS, PAGES = 600, 1


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """Pages of an hour ago, with one exploration slot each and their whole groups logged."""
    settings = {"log_share": "1", "explore_slots": "1"}
    container = build_project(Path(tmp_path_factory.mktemp("preview")), NOW, engine_settings=settings)
    for seed, model in enumerate(("serving", "tried")):
        add_model(container, model, seed)
    build_release_manager(container).promote_model("serving")
    service, rng, events = warm_service(container), np.random.default_rng(0), list[Event]()
    at = NOW - timedelta(hours=1)
    service.recorder.start()
    for viewer in range(VIEWERS):
        for page in range(PAGES):
            context = Context(at + timedelta(seconds=page))
            query = Query(user=f"new-{viewer}", limit=20, context=context)
            served = service.serve_page(RankingOptions(query))
            for hit in served.hits:
                if hit.exploration_slot is not None and rng.random() < 0.3:
                    key = f"click-{served.request_id}-{hit.position}"
                    events.append(
                        Event(key, "click", f"new-{viewer}", context.at_ms + 9000, hit.item.id,
                              request_id=served.request_id, position=hit.position)
                    )  # fmt: skip

    service.record_events(events)
    service.recorder.close()
    return container


def find_serving(container: Container) -> Release:
    pointer = container.releases.read_pointer()
    assert pointer is not None
    return pointer.serving


def test_the_serving_release_has_what_the_exploration_report_says(container: Container) -> None:
    found = preview_release(container, find_serving(container).id, 1.0, ignore_progress)
    assert found.support.decisions == VIEWERS * PAGES
    assert found.refusal == ""
    estimates = {one.method: one for one in found.estimates["used"]}
    batches = container.events.scan(0, round(NOW.timestamp() * 1000), columns=SLOT_COLUMNS)
    expected = estimate_slot_value(collect_slot_outcomes(batches))
    assert expected.as_ranked is not None
    assert estimates["logged"].value == pytest.approx(expected.as_drawn.mean)
    assert estimates["snips"].value == pytest.approx(expected.as_ranked.mean, rel=1e-4)
    assert estimates["snips"].effective <= VIEWERS
    assert found.gate == ""


def test_another_model_is_estimated_and_other_embeddings_are_refused(container: Container) -> None:
    serving = find_serving(container)
    tried = serving.model_copy(update={"id": "release-tried", "model": "tried"})
    container.releases.add(tried)
    found = preview_release(container, "release-tried", 1.0, ignore_progress)
    assert found.support.decisions == VIEWERS * PAGES
    container.releases.add(tried.model_copy(update={"id": "release-other", "embeddings": "other"}))
    other = preview_release(container, "release-other", 1.0, ignore_progress)
    assert "no logged page" in other.refusal
    assert sum(other.left_out.values()) == VIEWERS * PAGES
    assert other.estimates == {}


def test_young_pages_do_not_count_and_a_release_must_exist(container: Container) -> None:
    young = preview_release(container, find_serving(container).id, 0.01, ignore_progress)
    assert young.support.decisions == 0
    with raises_code(NotFound, "release_not_found"):
        preview_release(container, "none", 1.0, ignore_progress)

"""Where items were lost that a viewer watched after a page that did not show them near the top."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.jobs.served.blame import BlameOptions, BlameReport, blame_pages
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import Event
from reelrank.ranking.evaluation.served.blame import Cause, count_causes, name_held_down
from reelrank.ranking.policies.config import CandidateLimits
from reelrank.ranking.progress import ignore_progress
from tests.unit.app.jobs.served_hour import ServedHour, serve_hour

pytestmark = pytest.mark.slow
WATCHED = ("nowhere", "space7", "sea19")
"""The first is in no catalogue; the others are of the two genres, and the pages show eight films."""

RANKED = {Cause.NEAR_THE_TOP, Cause.SHOWN_LOW, Cause.RANKED_LOW, Cause.CUT}


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> ServedHour:
    directory: Path = tmp_path_factory.mktemp("served") / "data"
    begin = datetime.now(UTC) - timedelta(hours=1)
    hour = serve_hour(directory, begin)
    at_ms = round((begin + timedelta(minutes=40)).timestamp() * 1000)
    hour.container.events.append(
        [
            Event(f"late-{item}", "watch", "u0", at_ms, item, 5_000_000, 6_000_000, received_ms=at_ms)
            for item in WATCHED
        ]
    )
    return hour


@pytest.fixture(scope="module")
def report(hour: ServedHour) -> BlameReport:
    return blame_pages(hour.container, BlameOptions(), ignore_progress)


def test_every_wanted_item_has_one_cause_with_what_it_needs(report: BlameReport) -> None:
    assert report.blamed
    for one in report.blamed:
        assert (one.rank > 0) == (
            one.cause in {Cause.NEAR_THE_TOP, Cause.SHOWN_LOW, Cause.RANKED_LOW, Cause.CUT}
        )
        assert bool(one.source) == (one.cause is Cause.CUT)
        assert one.source in {"", *(field.name for field in fields(CandidateLimits))}
        assert one.sentence


def test_what_the_page_showed_was_near_the_top(hour: ServedHour, report: BlameReport) -> None:
    (page,) = [page for page in hour.pages if page.request_id == report.blamed[0].request_id]
    shown = {hit.item.id: hit.position + 1 for hit in page.hits}
    for one in report.blamed:
        if one.request_id == page.request_id and one.item in shown:
            assert (one.cause, one.rank) == (Cause.NEAR_THE_TOP, shown[one.item])


def test_what_is_in_no_catalogue_is_not_in_the_index(report: BlameReport) -> None:
    causes = {one.cause for one in report.blamed if one.item == "nowhere"}
    assert causes == {Cause.NOT_INDEXED}


def test_a_film_of_another_genre_than_the_page_asked_for_was_filtered_out(
    hour: ServedHour, report: BlameReport
) -> None:
    filtered = {one.item for one in report.blamed if one.cause is Cause.FILTERED}
    assert filtered & {"space7", "sea19"}
    assert "nowhere" not in filtered


def test_one_request_is_blamed_alone(hour: ServedHour, report: BlameReport) -> None:
    request_id = report.blamed[0].request_id
    alone = blame_pages(hour.container, BlameOptions(request_id=request_id), ignore_progress)
    assert alone.blamed == [one for one in report.blamed if one.request_id == request_id]
    with pytest.raises(NotFound) as unknown:
        blame_pages(hour.container, BlameOptions(request_id="unknown"), ignore_progress)
    assert unknown.value.code == "no_logged_pages"


def test_causes_of_all_surfaces_add_up(report: BlameReport) -> None:
    counts = count_causes(report.blamed)
    whole = counts.pop("all")
    assert sum(found.total() for found in counts.values()) == whole.total() == len(report.blamed)


def test_the_command_prints_a_table_and_the_request(
    hour: ServedHour, report: BlameReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(hour.container.settings.data_dir))
    whole = CliRunner().invoke(app, ["blame"])
    assert whole.exit_code == 0, whole.output
    assert "not in the index" in whole.output
    alone = CliRunner().invoke(app, ["blame", "--request", report.blamed[0].request_id])
    assert f"{report.blamed[0].item}: {report.blamed[0].sentence}" in " ".join(alone.output.split())


def test_features_that_held_down_are_named_worst_first() -> None:
    contributions = np.array([[0.1, -0.5, 0.0, 0.2, 1.0], [0.2, 0.5, 0.0, 0.1, 1.0]], np.float32)
    assert name_held_down(contributions, ("a", "b", "c", "d")) == ("b", "a")

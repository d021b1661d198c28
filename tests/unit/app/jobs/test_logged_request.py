"""One logged request: its scores computed again, and the order that another release gives it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.jobs.served.request import read_request
from reelrank.app.wiring import Container, build_container, build_release_manager
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.registry.releases import Release
from tests.sample_project import add_model
from tests.unit.app.jobs.served_hour import ServedHour, serve_hour

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> ServedHour:
    """An hour that one model served; another serves now."""
    directory: Path = tmp_path_factory.mktemp("served") / "data"
    hour = serve_hour(directory, datetime.now(UTC) - timedelta(hours=1), model="first")
    add_model(hour.container, "second", 1)
    build_release_manager(hour.container).promote_model("second")
    return hour


@pytest.fixture
def container(hour: ServedHour) -> Container:
    return build_container(hour.container.settings)


def find_release_of(container: Container, model: str) -> Release:
    releases = build_release_manager(container).list_releases()
    return next(release for release in releases if release.model == model)


def list_requests(hour: ServedHour, container: Container, is_whole: bool) -> list[str]:
    ids = [page.request_id for page in hour.pages]
    return [one for one in ids if read_request(container, one, 1.0).is_whole == is_whole]


def test_scores_computed_again_are_the_same_bit_by_bit(hour: ServedHour, container: Container) -> None:
    for page in hour.pages:
        found = read_request(container, page.request_id, 1.0)
        assert (found.note, found.row["model"]) == ("", "first")
        assert found.equal == found.compared == len(found.items)
        shown = [item.item for item in found.items if item.shown]
        assert shown == [hit.item.id for hit in page.hits]


def test_the_release_that_served_gives_a_whole_group_its_own_order(
    hour: ServedHour, container: Container
) -> None:
    release = find_release_of(container, "first").id
    for request_id in list_requests(hour, container, is_whole=True):
        found = read_request(container, request_id, 1.0, release)
        assert found.other is not None
        assert "as they were logged" in found.other.note
        scores = {item.item: item.score or 0.0 for item in found.items}
        ranked = [scores[item] for item in found.other.items]
        assert ranked == sorted(ranked, reverse=True)
        assert len(ranked) == len(found.items) == found.row["candidates"]


def test_what_was_not_kept_whole_is_ranked_again_and_said_so(hour: ServedHour, container: Container) -> None:
    release = find_release_of(container, "second")
    request_id = list_requests(hour, container, is_whole=False)[0]
    found = read_request(container, request_id, 1.0, release.id)
    assert found.other is not None
    assert release.index_version in found.other.note
    assert "ranked again" in found.other.note
    assert {item.item for item in found.items} & set(found.other.items)


@pytest.mark.parametrize(
    ("request_id", "release", "code"),
    [("unknown", "", "request_not_logged"), ("", "unknown", "release_not_found")],
)
def test_what_is_not_there_is_named(
    hour: ServedHour, container: Container, request_id: str, release: str, code: str
) -> None:
    with pytest.raises(NotFound) as missing:
        read_request(container, request_id or hour.pages[0].request_id, 1.0, release)
    assert missing.value.code == code


def test_the_command_prints_the_request_and_the_other_order(
    hour: ServedHour, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(container.settings.data_dir))
    request_id, release = hour.pages[0].request_id, find_release_of(container, "second").id
    printed = CliRunner().invoke(app, ["requests", "show", request_id, "--release", release, "--wide"])
    assert printed.exit_code == 0, printed.output
    assert "are the same, bit by bit" in printed.output
    assert hour.pages[0].hits[0].item.title in printed.output
    document = json.loads(CliRunner().invoke(app, ["requests", "show", request_id, "--json"]).output)
    assert document["row"]["request_id"] == request_id

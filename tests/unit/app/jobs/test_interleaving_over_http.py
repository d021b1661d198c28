"""Interleaving end to end over HTTP: served, used, measured from the lake, and the winner is named."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from reelrank.app.clock import SteppedClock
from reelrank.app.jobs.experiments.report import measure_experiment
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.wiring import Container, build_lake_storage, warm_service
from reelrank.index_mappings.decision import CANDIDATES, REQUESTS
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.experiments.measurement.interleaving import InterleavingReport
from reelrank.ranking.progress import ignore_progress
from tests.sample_project import build_project

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC)
VIEWERS, LIKED = 40, 3
DEFINITION = {
    "name": "taste-or-newest",
    "hypothesis": "Viewers use films of their taste more than the newest ones.",
    "interleave": True,
    "arms": [
        {"name": "newest", "share": 0.5, "config": dict.fromkeys(
            ("factors", "neighbours", "session", "recent", "popular"), 0)},
        {"name": "taste", "share": 0.5, "config": {"fresh": 0, "popular": 0}},
    ],
    "planned_days": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """Viewers with even numbers watched films of the sea, the others films of space."""
    return build_project(Path(tmp_path_factory.mktemp("duel")), NOW)


def visit(client: FlaskClient, viewer: int) -> str:
    """Opens the home page, and clicks the first films of the viewer's taste."""
    answer = client.get(f"/v1/recommendations?user=u{viewer}&limit=10").get_json()
    taste = ("sea", "space")[viewer % 2]
    liked = [hit for hit in answer["hits"] if hit["id"].startswith(taste)][:LIKED]
    events = [
        {"kind": "click", "user": f"u{viewer}", "item": hit["id"], "request_id": answer["request_id"]}
        for hit in liked
    ]
    if events:
        assert client.post("/v1/events", json=events).status_code == 200
    return str(answer["request_id"])


def test_a_page_holds_both_teams_is_logged_and_the_report_names_the_winner(container: Container) -> None:
    service = warm_service(container)
    options = WebOptions(1_000_000, container.settings.reports_dir, experiments=container.experiments)
    client = create_app(service, options).test_client()
    service.recorder.start()
    assert client.post("/v1/experiments", json=DEFINITION).status_code == 201
    assert client.post("/v1/experiments/taste-or-newest:start").status_code == 200
    service.refresher.refresh()
    pages = [visit(client, viewer) for viewer in range(VIEWERS)]
    service.recorder.close()

    lake, span = Lake(build_lake_storage(container.settings)), (NOW - timedelta(1), NOW + timedelta(1))
    rows = [row for batch in lake.scan(REQUESTS, *span) for row in batch.to_pylist()]
    assert {row["variant"] for row in rows if row["request_id"] in pages} == {"interleaved"}
    shown = [row for batch in lake.scan(CANDIDATES, *span) for row in batch.to_pylist() if row["shown"]]
    teams = Counter((row["request_id"], row["team"]) for row in shown)
    assert all(teams[page, "newest"] and teams[page, "taste"] for page in pages)

    later = replace(container, clock=SteppedClock(NOW + timedelta(hours=26)))
    report = measure_experiment(later, "taste-or-newest", ignore_progress)
    assert isinstance(report, InterleavingReport)
    assert report.pages == VIEWERS
    assert [team.shown for team in report.teams] == [
        sum(count for (_, team), count in teams.items() if team == arm) for arm in ("newest", "taste")
    ]
    assert report.verdicts[0].verdict == "better"
    assert "taste is preferred to newest" in report.verdicts[0].sentence

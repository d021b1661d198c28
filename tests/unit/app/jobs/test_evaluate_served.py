"""Logged pages as they were served, beside the orders of other systems for the same requests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.jobs.served.evaluation import ServedEvaluation, evaluate_served
from reelrank.ranking.evaluation.served.orders import ORDER_MEASURES
from reelrank.ranking.progress import ignore_progress
from tests.unit.app.jobs.served_hour import ROUNDS, VIEWERS, ServedHour, serve_hour

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> ServedHour:
    directory: Path = tmp_path_factory.mktemp("served") / "data"
    return serve_hour(directory, datetime.now(UTC) - timedelta(hours=1))


@pytest.fixture(scope="module")
def evaluation(hour: ServedHour) -> ServedEvaluation:
    return evaluate_served(hour.container, 1, ignore_progress)


def test_pages_are_measured_by_surface_viewer_and_slot(evaluation: ServedEvaluation) -> None:
    requests = {quality.surface: quality.requests for quality in evaluation.qualities}
    visits = ROUNDS * VIEWERS
    assert requests["all"] == 5 * visits
    assert (requests["home"], requests["search"], requests["similar"]) == (2 * visits, 2 * visits, visits)
    assert requests["more past watches"] == requests["all"]  # all viewers have six
    assert not [name for name in requests if name.startswith("simulated")]


def test_each_source_stands_beside_the_served_order_on_the_same_requests(
    evaluation: ServedEvaluation,
) -> None:
    home = {order.system: order for order in evaluation.orders if order.surface == "home"}
    assert next(iter(home)) == "as served"
    assert {"fused", "popularity", "recent popularity", "EASE", "factors", "popular"} <= set(home)
    assert "bm25" not in home
    assert {order.requests for order in home.values()} == {home["as served"].requests}
    assert home["as served"].difference.mean == 0
    assert set(home["EASE"].measures) == set(ORDER_MEASURES)
    assert evaluation.compared >= home["as served"].requests


def test_the_command_prints_tables_and_writes_plots(
    hour: ServedHour, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = hour.container.settings.data_dir
    monkeypatch.setenv("REELRANK_DATA_DIR", str(data_dir))
    done = CliRunner().invoke(app, ["evaluate", "--as", "served", "--days", "1", "--wide"])
    assert done.exit_code == 0
    assert "more past watches" in done.output
    assert "NDCG less served" in done.output
    assert (hour.container.settings.reports_dir / "served-orders-home.svg").exists()

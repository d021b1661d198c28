"""Experiments from the lake to the page: measured by the command, listed and drawn with a verdict."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from typer.testing import CliRunner

from benchmarks.experiments.made_up_lake import EXPERIMENT, START, MadeUpExperiment, write_lake
from reelrank.app.cli.experiments import reporting
from reelrank.app.cli.experiments.commands import app
from reelrank.app.settings import Settings
from reelrank.app.web.application import WebOptions, create_app
from reelrank.app.web.experiments.pages import build_view
from reelrank.app.web.ops.overview import Operations
from reelrank.app.wiring import (
    Container,
    build_container,
    build_lake_storage,
    build_release_manager,
    build_service,
)
from reelrank.index_mappings.errors import Conflict
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.measurement.stored_reports import read_report
from reelrank.ranking.experiments.store import FileExperiments
from reelrank.ranking.registry.decisions import FileHistory
from tests.page_client import open_pages
from tests.raised import raises_code

pytestmark = pytest.mark.slow
COMMANDS = reporting.report, reporting.plan
"""Importing their module adds them to the group."""
BODY: dict[str, Any] = {
    "name": EXPERIMENT,
    "hypothesis": "Viewers play <more>.",
    "arms": [{"name": "control", "share": 0.5}, {"name": "treatment", "share": 0.5}],
    "primary": "ctr",
    "planned_days": 2,
    "conversion": {"kind": "watch", "window_hours": 12},
}


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A lake of two days with a good arm. The experiments were started when its first page was served."""
    settings = Settings.model_validate({"data_dir": Path(tmp_path_factory.mktemp("experiments"))})
    container = build_container(settings)
    write_lake(build_lake_storage(settings), MadeUpExperiment(viewers=600, days=2, past_days=1, effect=0.5))
    store = FileExperiments(settings.experiments_dir, lambda: START)
    store.create(ExperimentDefinition.model_validate(BODY))
    store.start(EXPERIMENT)
    return container


@pytest.fixture(autouse=True)
def data_dir(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "REELRANK_DATA_DIR", str(container.settings.data_dir))


@pytest.fixture
def pages(container: Container) -> Iterator[FlaskClient]:
    settings = container.settings
    history = FileHistory(settings.loop_dir)
    operations = Operations(
        build_release_manager(container), history, settings.reports_dir, settings.loads_dir
    )
    options = WebOptions(
        1_000_000, settings.reports_dir, operations=operations, experiments=container.experiments
    )
    service = build_service(container)
    yield open_pages(create_app(service, options))
    service.recorder.close()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_measured_experiment_is_listed_and_drawn(
    container: Container, pages: FlaskClient, tmp_path: Path
) -> None:
    assert "not measured" in pages.get("/ops/experiments").text
    file = tmp_path / "report.html"
    report = orjson.loads(run("report", EXPERIMENT, "--json", "--html", str(file)))
    assert report["verdicts"][0]["verdict"] == "better"
    assert not report["is_mis_split"]
    listed = unescape(pages.get("/ops/experiments").text)
    assert "treatment is better: click-through rate" in listed
    detail = pages.get(f"/ops/experiments/{EXPERIMENT}").text
    assert 'class="forest"' in detail
    assert 'class="line-chart"' in detail
    assert "Viewers play &lt;more&gt;." in detail
    assert "better." in detail.lower()
    sent = file.read_text()
    assert "<style>" in sent
    assert 'class="forest"' in sent
    assert "/ops" not in sent
    assert "better" in run("report", EXPERIMENT)


def test_a_mis_split_experiment_shows_no_effect(container: Container, pages: FlaskClient) -> None:
    """The log is split in halves; the definition says a third."""
    uneven = BODY | {"arms": [{"name": "control", "share": 0.66}, {"name": "treatment", "share": 0.34}]}
    path = container.experiments.directory / f"{EXPERIMENT}.json"
    before = path.read_bytes()
    definition = ExperimentDefinition.model_validate(uneven)
    changed = Experiment(definition=definition, created_at=START, started_at=START)
    path.write_text(changed.model_dump_json())
    try:
        report = orjson.loads(run("report", EXPERIMENT, "--json"))
        assert report["verdicts"][0]["verdict"] == "mis-split"
        detail = pages.get(f"/ops/experiments/{EXPERIMENT}").text
        assert "Do not read the effects" in detail
        assert 'class="forest"' not in detail
    finally:
        path.write_bytes(before)


def test_a_draft_is_not_measured_and_a_plan_reads_the_lake(container: Container, tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    file.write_bytes(orjson.dumps(BODY | {"name": "draft"}))
    run("create", str(file))
    planned = orjson.loads(run("plan", str(file), "--json"))
    assert planned["metric"] == "ctr"
    assert datetime.now(START.tzinfo) - START > timedelta(0)
    listed = run("list")
    assert "draft" in listed
    assert EXPERIMENT in listed
    assert "hypothesis" in run("schema")


def test_an_interleaved_experiment_shows_both_arms_and_names_the_winner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path})
    monkeypatch.setitem(os.environ, "REELRANK_DATA_DIR", str(tmp_path))
    made_up = MadeUpExperiment(300, 2, 0, play_rate=0.3, effect=0.5, interleaved=True)
    write_lake(build_lake_storage(settings), made_up)
    store = FileExperiments(settings.experiments_dir, lambda: START)
    kept = {name: BODY[name] for name in ("name", "hypothesis", "arms", "planned_days")}
    store.create(ExperimentDefinition.model_validate(kept | {"interleave": True}))
    store.start(EXPERIMENT)
    file = tmp_path / "report.html"
    printed = run("report", EXPERIMENT, "--html", str(file))
    assert "treatment is preferred to control" in printed
    assert "pages won of treatment" in printed
    assert "interleaved" in run("list")
    container = build_container(settings)
    experiment = container.experiments.find(EXPERIMENT)
    view = build_view(experiment, read_report(settings.reports_dir, EXPERIMENT))
    assert "better: treatment is preferred" in view.verdict
    assert len(view.days) == 1
    for words in ("treatment is preferred to control", "pages won", "every second item of a page"):
        assert words in file.read_text()
    definition = tmp_path / "definition.json"
    definition.write_bytes(orjson.dumps(kept | {"interleave": True}))
    with raises_code(Conflict, "experiment_not_planned"):
        CliRunner().invoke(app, ["plan", str(definition)], catch_exceptions=False)

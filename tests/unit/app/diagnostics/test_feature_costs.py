"""The features command: gain, words, signals and policy of each, and what it costs, measured on a request."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.wiring import build_release_manager
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES
from tests.sample_project import add_model, build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("data")
    parts = build_project(data_dir, NOW)
    build_release_manager(parts).promote_model(add_model(parts, "served", 1))
    return data_dir


def run(data_dir: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(data_dir))
    result = CliRunner().invoke(app, ["features", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_feature_is_listed_with_what_it_costs(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(run(data_dir, monkeypatch, "--json"))
    assert tuple(row["name"] for row in document["features"]) == FEATURE_NAMES
    assert all(row["cost_us_per_1000"] > 0 for row in document["features"])
    assert all(row["words"] and row["signals"] and row["missing"] for row in document["features"])
    assert set(document["observing_us_per_1000"]) == {
        "sources", "items", "popularity", "vectors", "viewer", "request", "titles",
    }  # fmt: skip
    assert document["candidates"] == 18  # 24 films, 6 of them watched by the last viewer


def test_the_table_names_costs_for_reading(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run(data_dir, monkeypatch)
    assert "µs/1,000" in printed
    assert max(map(len, printed.splitlines()[:-1])) <= 80
    assert len(printed.splitlines()) < len(FEATURE_NAMES) + 20
    assert all(feature.description in run(data_dir, monkeypatch, "--wide") for feature in FEATURES[:3])
    assert "the measured request had 18" in " ".join(printed.split())


def test_an_empty_project_says_what_to_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    error = CliRunner().invoke(app, ["features"]).exception
    assert isinstance(error, NotFound)
    assert error.code == "no_items_loaded"

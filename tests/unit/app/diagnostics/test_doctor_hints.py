"""The doctor tells what is still to be done in a new project from what is wrong in one that worked."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.diagnostics.doctor import UNTRAINED, diagnose
from reelrank.app.jobs.history import MIN_WATCHES
from reelrank.app.wiring import Container, build_release_manager
from tests.sample_project import add_model, build_project


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path))
    yield build_project(tmp_path, datetime.now(UTC))


def test_a_project_without_a_first_model_has_a_hint_and_no_problem(parts: Container) -> None:
    diagnosis = diagnose(parts)
    assert (diagnosis.problems, diagnosis.hints) == ([], [UNTRAINED])
    assert not diagnosis.is_complete
    assert f" {MIN_WATCHES} watches" in UNTRAINED
    ended = CliRunner().invoke(app, ["doctor"])
    assert ended.exit_code == 0
    assert f"hint: {UNTRAINED}" in ended.output


def test_a_model_that_serves_no_longer_is_a_problem(parts: Container) -> None:
    add_model(parts, "first", 0)
    diagnosis = diagnose(parts)
    assert diagnosis.hints == []
    assert "run: reelrank releases rollback, or reelrank promote MODEL" in diagnosis.problems[0]
    build_release_manager(parts).promote_model("first")
    assert diagnose(parts).is_complete

"""Runs the example of docs/models.md as it stands: train, add, promote, list, roll back."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.ranking.rankers.manifest import ModelRejected

DOC = Path(__file__).parents[2] / "docs" / "models.md"


def find_code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC.read_text(), re.DOTALL)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str) -> str:
    result = CliRunner().invoke(app, command.split()[1:])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_model_made_as_the_page_says_can_serve(project: Path) -> None:
    exec(compile(find_code_blocks("python")[0], str(DOC), "exec"), {})
    (project / "manifest.json").write_text(find_code_blocks("json")[0])
    for command in find_code_blocks("sh")[-1].splitlines():
        run(command)
    (listed,) = json.loads(run("reelrank models --json"))
    assert (listed["id"], listed["kind"], listed["serving"]) == ("mine", "external", True)
    assert "mine" in run("reelrank models")
    assert "engine-order serves" in run("reelrank models rollback")


def test_an_empty_manifest_is_rejected_with_the_file_and_a_remedy(project: Path) -> None:
    (project / "model.txt").write_text("tree")
    (project / "manifest.json").write_text("{}")
    result = CliRunner().invoke(app, ["models", "add", "model.txt", "--manifest", "manifest.json"])
    assert isinstance(result.exception, ModelRejected)
    assert result.exception.code == "invalid_manifest"
    assert "model.txt" in str(result.exception)
    assert "correct the model file or its manifest" in str(result.exception)

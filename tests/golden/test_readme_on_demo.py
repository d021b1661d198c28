"""The README's shell commands are run on the demo that `make run` made. CI runs it first.

Without the demo's data, the test says why it is skipped.
"""

import os
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.diagnostics.doctor import diagnose
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container

README = (Path(__file__).parents[2] / "README.md").read_text()
NOT_RUN = {"evaluate"}
"""Takes half a minute; test_demo_quality.py compares its figures."""


def find_demo_commands() -> list[str]:
    """The lines of the one shell block that calls commands on the demo."""
    block = next(
        block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "reelrank search" in block
    )
    lines = [line.partition("#")[0].strip() for line in block.splitlines()]
    return [line for line in lines if line.split()[1] not in NOT_RUN]


@pytest.fixture(scope="module")
def demo() -> None:
    diagnosis = diagnose(build_container(Settings()))
    problems = [*diagnosis.problems, *diagnosis.hints]
    if problems and os.environ.get("CI"):
        pytest.fail(f"the demo is not ready: {problems[0]}")
    if problems:
        pytest.skip(f"the demo is not ready, run `make run`: {problems[0]}")


@pytest.mark.parametrize("command", find_demo_commands())
@pytest.mark.usefixtures("demo")
def test_a_shell_command_of_the_readme_runs_on_the_demo(command: str) -> None:
    program, name, *arguments = shlex.split(command)
    assert program == "reelrank"
    result = CliRunner().invoke(app, [name, *arguments])
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) >= 5


def test_the_readme_has_commands_for_the_demo() -> None:
    assert len(find_demo_commands()) >= 4

"""The `reelrank` command leaves the working directory off the import path."""

import os
import sys
from pathlib import Path

import pytest

import reelrank_command
from reelrank_command import leave_out_working_directory


@pytest.mark.parametrize("entry", ["", ".", "../own", "{here}", "{here}/"])
def test_every_spelling_of_the_working_directory_is_left_out(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(own)
    entry = entry.format(here=own)
    monkeypatch.setattr(sys, "path", [entry, "/other", *sys.path])
    before = sys.path[1:]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([entry, "/other", f"{own}/lib"]))
    leave_out_working_directory()
    assert sys.path == before
    assert os.environ["PYTHONPATH"] == os.pathsep.join(["/other", f"{own}/lib"])


def test_waiting_threads_do_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setattr(sys, "argv", ["reelrank", "--version"])
    reelrank_command.main()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_a_directory_that_has_the_program_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(reelrank_command.__file__).parent
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "path", [str(home)])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    leave_out_working_directory()
    assert sys.path == [str(home)]
    assert "PYTHONPATH" not in os.environ

"""Durable writes: whole after a kill at any step, and nothing left over."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelrank.ranking.durable import (
    LEFTOVER_AGE_S,
    create_directory,
    move,
    remove_leftovers,
    replace_directory,
    replace_file,
    write_file,
)

KILL_AT_EACH_STEP = """
import json, os, signal, sys
from pathlib import Path
from reelrank.ranking import durable

kind, folder = sys.argv[1], Path(sys.argv[2])

def fill(directory, letter):
    for name in ("a", "b"):
        (directory / name).write_text(letter * 100_000)

def write(target, letter):
    if kind == "file":
        durable.write_file(target, letter * 100_000)
    else:
        with getattr(durable, kind)(target) as temporary:
            fill(temporary, letter)

def read(target):
    files = sorted(target.iterdir()) if target.is_dir() else [target] if target.exists() else []
    return [[path.name, len(text := path.read_text()), "".join(sorted(set(text)))] for path in files]

def kill_at(step):
    def count(event, arguments):
        nonlocal step
        if event == "open" or event.startswith(("os.", "shutil.")):
            step -= 1
            if step == -1:  # os.kill is an event too
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)

killed, step = True, 0
while killed:
    target = folder / f"{step}" / "target"
    if kind != "create_directory":
        write(target, "o")
    pid = os.fork()
    if pid == 0:
        kill_at(step)
        write(target, "n")
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    after_kill = read(target)
    if killed and (kind != "create_directory" or not target.exists()):
        write(target, "n")
    print(json.dumps([killed, after_kill, read(target)]))
    step += 1
"""


def make_state(kind: str, letter: str) -> list[list[object]]:
    names = ["target"] if kind == "file" else ["a", "b"]
    return [[name, 100_000, letter] for name in names]


@pytest.mark.parametrize("kind", ["file", "create_directory", "replace_directory"])
def test_content_is_whole_after_a_kill_at_any_step(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILL_AT_EACH_STEP, kind, str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    *kills, end = [json.loads(line) for line in printed.splitlines()]
    old, new = make_state(kind, "o"), make_state(kind, "n")
    whole = {"file": [old, new], "create_directory": [[], new], "replace_directory": [old, [], new]}[kind]
    seen = [state for _, state, _ in kills]
    assert len(kills) >= 5
    assert all(state in whole for state in seen)
    assert whole[0] in seen
    assert [rewritten for _, _, rewritten in kills] == [new] * len(kills)
    assert end == [False, new, new]


def test_a_failed_write_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    write_file(tmp_path / "file", "old")
    with create_directory(tmp_path / "folder") as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), replace_file(tmp_path / "file") as temporary:
        temporary.write_text(f"{1 / 0}")
    with pytest.raises(ZeroDivisionError), replace_directory(tmp_path / "folder") as temporary:
        (temporary / "a").write_text("new")
        (temporary / "b").write_text(f"{1 / 0}")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "file", "folder"]
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "a").read_text() == "old"


def test_a_directory_with_content_is_not_created_again(tmp_path: Path) -> None:
    for _ in "12":
        with create_directory(tmp_path / "one") as temporary:
            (temporary / "a").touch()
        with pytest.raises(OSError, match="not empty"), create_directory(tmp_path / "one") as temporary:
            (temporary / "b").touch()
        (tmp_path / "one" / "a").rename(tmp_path / "one" / "b")
        (tmp_path / "one" / "b").unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_temporary_file_keeps_the_suffix_for_writers_that_look_at_it(tmp_path: Path) -> None:
    with replace_file(tmp_path / "new folder" / "numbers.npz") as temporary:
        assert temporary.suffix == ".npz"
        temporary.write_bytes(b"numbers")
    assert (tmp_path / "new folder" / "numbers.npz").read_bytes() == b"numbers"


def test_writes_remove_leftovers_of_killed_writers_only(tmp_path: Path) -> None:
    for name, age_s in (("old", LEFTOVER_AGE_S + 60), ("new", 60)):
        file, folder = tmp_path / f".tmp-{name}-file", tmp_path / f".tmp-{name}-folder"
        folder.mkdir()
        (folder / "part").touch()
        file.touch()
        for path in (file, folder):
            os.utime(path, (time.time() - age_s,) * 2)
    write_file(tmp_path / "kept", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tmp-new-file", ".tmp-new-folder", "kept"]
    remove_leftovers(tmp_path, min_age_s=0)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_move_replaces_the_target(tmp_path: Path) -> None:
    write_file(tmp_path / "staged", "new")
    write_file(tmp_path / "target", "old")
    move(tmp_path / "staged", tmp_path / "target")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]

"""`make engines` serves until it is stopped, and ends when its server does."""

import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.servers.node import FIRST_START_S, find_free_port, wait_until
from tests.servers.server import require_startable

ROOT = Path(__file__).parents[2]


def is_answering(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{url}/_cluster/health", timeout=2).status == 200)
    except OSError:
        return False


def find_server(home: Path) -> int:
    """Returns the process id of the Java process of this home."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"path.home={home}".encode() in arguments:
            return int(process.name)
    raise LookupError(f"no server in {home}")


@pytest.mark.slow
@pytest.mark.servers
def test_make_engines_ends_when_its_server_does(tmp_path: Path) -> None:
    kind, port = require_startable("elasticsearch-9"), find_free_port()
    made = subprocess.Popen(
        ["make", "-C", ROOT, "engines", f"KIND={kind}", f"PORT={port}", f"ENGINE_HOME={tmp_path}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HEAP": "512m"},
        start_new_session=True,
    )
    try:
        assert wait_until(lambda: is_answering(f"http://127.0.0.1:{port}"), FIRST_START_S)
        assert made.poll() is None
        os.kill(find_server(tmp_path), signal.SIGTERM)
        made.wait(timeout=60)
    finally:
        if made.poll() is None:
            os.killpg(made.pid, signal.SIGKILL)

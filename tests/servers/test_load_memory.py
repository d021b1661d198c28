"""A load into a server from a file ten times as large needs no more memory (Linux)."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.server import Server, build_kind_params

pytestmark = pytest.mark.parametrize("server", build_kind_params("elasticsearch-9"), indirect=True)
COMMAND = (sys.executable, "-m", "reelrank.app.cli", "load", "items", "films.csv")
SMALL, LARGE = 5_000, 50_000
GROWTH_MB = 65
"""Item table columns and their sorting take about 1 kB an item (49 MB measured); documents that were kept
until the end would take another 1 kB each."""


def read_own_memory_mb(process: int) -> int:
    """Reads the memory of a process without mapped files, which the system can reclaim."""
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        return int(status["RssAnon"].split()[0]) // 1024
    except (OSError, KeyError):  # the process has just ended
        return 0


def measure_peak_mb(server: Server, prefix: str, folder: Path, rows: int) -> int:
    """Runs a load and returns its peak memory, sampled fifty times a second."""
    folder.mkdir()
    (folder / "films.csv").write_text("id,title\n" + "".join(f"f{n},Film {n}\n" for n in range(rows)))
    settings = {"data_dir": folder / "data", **server.build_settings(prefix)}
    variables = {f"REELRANK_{name.upper()}": str(value) for name, value in settings.items()}
    with (folder / "log").open("wb") as log:
        load = subprocess.Popen(COMMAND, cwd=folder, env=os.environ | variables, stdout=log, stderr=log)
    peak = 0
    while load.poll() is None:
        peak = max(peak, read_own_memory_mb(load.pid))
        time.sleep(0.02)
    assert load.returncode == 0, (folder / "log").read_text()
    return peak


def test_a_load_needs_no_more_memory_for_a_larger_file(server: Server, prefix: str, tmp_path: Path) -> None:
    small = measure_peak_mb(server, prefix, tmp_path / "small", SMALL)
    large = measure_peak_mb(server, prefix, tmp_path / "large", LARGE)
    assert small > 0
    assert large - small < GROWTH_MB, f"{large} MB for {LARGE} rows, {small} MB for {SMALL}"

"""A service imports what it answers with, and nothing that only jobs and reports need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reelrank.app.serving.gunicorn_command import save_memory

NOT_NEEDED = {
    "gensim", "icalendar", "implicit", "lightgbm", "matplotlib", "pandas", "pyarrow.dataset",
    "scipy.optimize", "scipy.stats", "sklearn",
}  # fmt: skip
"""Each takes between a tenth of a second and a second. LightGBM is imported apart, without scikit-learn."""
BEFORE_THE_FORK = """
import gc, os, sys
from pathlib import Path
from types import SimpleNamespace
from reelrank.app.serving.gunicorn_command import save_memory
save_memory()
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
from reelrank.app.serving import gunicorn_config
gunicorn_config.on_starting(SimpleNamespace(cfg=SimpleNamespace(address=[("127.0.0.1", 8080)])))
import pyarrow
threads = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
print(pyarrow.default_memory_pool().backend_name, gc.get_freeze_count() > 100_000, *sorted(threads))
print(*sys.modules)
"""


@pytest.mark.parametrize("module", ["app.serving.entry", "app.cli.serve"])
def test_a_service_starts_without_the_imports_of_jobs_and_reports(module: str) -> None:
    code = f"import sys, reelrank.{module}; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert NOT_NEEDED.intersection(ended.stdout.split()) == set()


def test_workers_share_what_is_large_and_no_library_has_begun_threads(tmp_path: Path) -> None:
    """A child of a process with threads may hang where one of them held a lock."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", BEFORE_THE_FORK, str(tmp_path)],
        capture_output=True, text=True, check=True, timeout=60, env=environment,
    )  # fmt: skip
    allocation, modules = ended.stdout.splitlines()
    assert allocation == "system True jemalloc_bg_thd python"  # Arrow's own, which no lock of ours waits for
    assert {"lightgbm", "wordllama"} <= set(modules.split())
    assert "sklearn" not in modules.split()


def test_the_environment_decides_how_arrow_allocates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "mimalloc")
    save_memory()
    assert os.environ["ARROW_DEFAULT_MEMORY_POOL"] == "mimalloc"

"""A service imports what it answers with, and nothing that only jobs and reports need."""

import subprocess
import sys

import pytest

NOT_NEEDED = {
    "gensim", "icalendar", "implicit", "lightgbm", "matplotlib", "pandas", "pyarrow.dataset",
    "scipy.optimize", "scipy.stats", "sklearn",
}  # fmt: skip
"""Each takes between a tenth of a second and a second. LightGBM is imported after the fork."""


@pytest.mark.parametrize("module", ["app.serving.entry", "app.cli.serve"])
def test_a_service_starts_without_the_imports_of_jobs_and_reports(module: str) -> None:
    code = f"import sys, reelrank.{module}; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert NOT_NEEDED.intersection(ended.stdout.split()) == set()

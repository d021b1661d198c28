"""A few random kills under traffic; `python -m benchmarks kills` makes hundreds."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.endurance.kills import run
from tests.sample_project import build_project

pytestmark = pytest.mark.slow
SEED = 17
"""Kills a worker, a command 0.3 s after its start, and the service: each kind once, and soon."""


def test_no_acknowledged_event_is_lost_or_doubled(tmp_path: Path) -> None:
    data_dir = build_project(tmp_path / "data", datetime.now(UTC)).settings.data_dir
    assert run(data_dir, kills=3, seconds=10, seed=SEED) == 0

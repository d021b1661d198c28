"""What a training run learns from: windows of time that serving pages does not move."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reelrank.app.jobs.history import read_history
from reelrank.app.jobs.training import collect_judged_requests, collect_training_set
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.event import DAY_MS, Event
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.sample_project import build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)


@pytest.fixture
def parts(tmp_path: Path) -> Container:
    return build_project(tmp_path, NOW)


def test_pages_that_were_shown_move_no_window(parts: Container) -> None:
    before = read_history(parts)
    parts.events.append(
        [Event(f"i{n}", "impression", f"u{n % 40}", NOW_MS + n, "sea1", position=1) for n in range(2000)]
    )
    after = read_history(parts)
    assert len(after.events) == len(before.events) + 2000
    for window in ("training_ms", "evaluation_ms", "end_ms"):
        assert getattr(after, window) == getattr(before, window)


def test_an_error_states_how_many_watches_training_needs(tmp_path: Path) -> None:
    few = build_container(Settings(data_dir=tmp_path))
    few.engine.create_index("items-1")
    few.engine.promote("items-1")
    few.events.append([Event(f"w{n}", "watch", "ada", n, "sea1") for n in range(99)])
    few.events.append([Event(f"i{n}", "impression", "ada", n, "sea1") for n in range(500)])
    with raises_code(NotFound, "too_few_watches", match="99 watches .*, 100 are the least"):
        read_history(few)


def test_windows_without_new_watched_items_are_an_error(parts: Container) -> None:
    history = read_history(parts)
    later = replace(
        history,
        training_ms=NOW_MS + DAY_MS,
        evaluation_ms=NOW_MS + 2 * DAY_MS,
        end_ms=NOW_MS + 3 * DAY_MS,
    )
    with raises_code(NotFound, "no_requests_to_evaluate"):
        collect_judged_requests(later, ignore_progress)
    assert len(collect_training_set(later, ignore_progress).groups)  # of viewers who return
    earlier = replace(later, training_ms=0, evaluation_ms=1)
    with raises_code(NotFound, "no_requests_to_learn_from"):
        collect_training_set(earlier, ignore_progress)

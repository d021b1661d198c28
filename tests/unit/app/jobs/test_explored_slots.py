"""The model of exploration slots alone: slots before the evaluation are found; too few are counted."""

from datetime import timedelta
from pathlib import Path

import pytest

from reelrank.app.clock import to_ms
from reelrank.app.jobs.history import History
from reelrank.app.jobs.served.explored import collect_explored, rank_as_explored
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container
from reelrank.index_mappings.event import EVENT_SCHEMA
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.training.pointwise import MIN_USED, count_used
from tests.unit.app.jobs.logged_requests import NOW, serve_pages


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    built = build_container(Settings(data_dir=tmp_path, clock="simulated"))
    monkeypatch.setattr(type(built.clock), "now", lambda _clock: NOW)
    return built


def build_history(container: Container, days_ago: float) -> History:
    evaluation_ms = to_ms(NOW - timedelta(days=days_ago))
    return History(container, EVENT_SCHEMA.empty_table(), [], 0, evaluation_ms, to_ms(NOW))


def test_slots_before_the_evaluation_are_collected(container: Container) -> None:
    serve_pages(container, 100, days=10)
    rows = collect_explored(build_history(container, days_ago=5), ignore_progress)
    assert 40 < len(rows.gains) < 60
    assert rows.groups.tolist() == [1] * len(rows.gains)
    assert set(rows.get_row_weights().tolist()) == {1.0}
    assert len(rows.gains) // 2 - 1 <= count_used(rows) <= len(rows.gains) // 2 + 1


def test_too_few_slots_are_counted_and_nothing_is_ranked(container: Container) -> None:
    assert (
        "0 seen exploration slots" in rank_as_explored(build_history(container, 5), [], ignore_progress).note
    )
    serve_pages(container, 100, days=10)
    ranked = rank_as_explored(build_history(container, days_ago=-1), [], ignore_progress)
    assert ranked.rankings is None
    assert f"of 100 seen exploration slots before these requests 50 were used; {MIN_USED} are" in ranked.note
    assert ranked.note.endswith(f"{MIN_USED - 50} are missing")


def test_enough_slots_are_learned_from(container: Container) -> None:
    serve_pages(container, 2 * MIN_USED + 20, days=10)
    ranked = rank_as_explored(build_history(container, days_ago=-1), [], ignore_progress)
    assert ranked.rankings == []
    assert ranked.note.endswith("were used")

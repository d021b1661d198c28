"""The loop on simulated viewers: its folder, its bad releases, and what it says happened."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from reelrank.app.clock import SteppedClock
from reelrank.app.loop.faults import Fault
from reelrank.app.loop.simulated.report import LoopReport, Row
from reelrank.app.loop.simulated.scenes import HARM_ENDED, PROMOTED, REFUSED, SCENES
from reelrank.app.loop.simulated.true_effect import TrueEffect
from reelrank.app.loop.simulated.world import MARK, SimulationSize, build_settings, find_begin, prepare_folder
from reelrank.index_mappings.errors import Conflict
from reelrank.ranking.evaluation.intervals import Interval
from tests.raised import raises_code

EFFECT = TrueEffect(30.0, 25.0, Interval(5.0, 2.5, 7.5))
GOOD = Row("release-1", "better", (PROMOTED,), PROMOTED, "it serves", (), EFFECT, 1.0)
PASSED = Row("release-2", "bad: stale vectors", (REFUSED,), PROMOTED, "it serves", (), None, 1.0)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "film.mkv").write_text("precious")
    with raises_code(Conflict, "simulation_folder_in_use"):
        prepare_folder(tmp_path, 0)
    assert (tmp_path / "film.mkv").exists()


def test_the_folder_of_a_simulation_is_replaced(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "loop-0"
    prepare_folder(directory, 0)
    (directory / "old").write_text("")
    prepare_folder(directory, 1)
    assert [path.name for path in directory.iterdir()] == [MARK]


def test_a_simulation_does_not_follow_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELRANK_ENGINE", "elasticsearch")
    monkeypatch.setenv("REELRANK_LAKE_URL", "s3://precious/lake")
    settings = build_settings(tmp_path)
    assert settings.engine == "embedded"
    assert settings.lake_location == str(tmp_path / "lake")
    assert "explore_slots" not in settings.model_fields_set


def test_a_simulation_is_over_before_the_present() -> None:
    size = SimulationSize()
    end = find_begin(size) + timedelta(days=size.days)
    assert end <= datetime.now(UTC)


def test_a_stepped_clock_tells_what_was_set() -> None:
    clock = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.set(datetime(2026, 1, 2, tzinfo=UTC))
    assert clock.now().day == 2


def test_every_fault_has_a_scene() -> None:
    assert {f"bad: {fault}" for fault in Fault} <= {scene.made for scene in SCENES}


def test_a_report_says_whether_all_of_it_happened(tmp_path: Path) -> None:
    make = partial(LoopReport, 0, tmp_path)
    assert make([GOOD]).happened
    assert not make([GOOD, PASSED]).happened
    assert not make([GOOD], failed=1).happened
    assert not make([]).happened


def test_a_row_states_the_true_effect_as_a_share() -> None:
    assert GOOD.to_json()["true_difference"] == [5.0, 2.5, 7.5]
    assert EFFECT.describe() == "+20% [+10%, +30%]"
    assert PASSED.to_json()["happened"] is False


def test_a_harmful_release_may_be_taken_back_by_the_canary_or_the_watch() -> None:
    harmful = replace(GOOD, wanted=HARM_ENDED)
    assert not harmful.happened
    assert all(replace(harmful, decided=decided).happened for decided in HARM_ENDED)
    assert harmful.to_json()["wanted"] == "refused (canary) or rolled back (roll back)"

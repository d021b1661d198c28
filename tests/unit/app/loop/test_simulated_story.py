"""A small simulation of the loop from its first page: a release is promoted, a bad one refused."""

from pathlib import Path

import pytest

from reelrank.app.jobs import logged_pages
from reelrank.app.loop.simulated.scenes import BETTER, REFUSED, SCENES, play
from reelrank.app.loop.simulated.world import SimulatedWorld, SimulationSize, prepare_folder
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.registry.decisions import FileHistory

pytestmark = pytest.mark.slow
SMALL = SimulationSize(viewers=200, films=60, traffic_days=4.0, later_days=4.0, judged_viewers=20)
SETTINGS = {
    "gate_hours": 48.0,
    "gate_margin": 0.5,  # a hundred requests cannot tell a smaller loss from none
    "gate_known_items": 5,
    "loop_min_traffic": 1,
    "shadow_requests": 5,
    "canary_hours": 1.0,
    "watch_hours": 1.0,
}
WITHOUT_VALUES = next(scene for scene in SCENES if scene.made == "bad: a column of NaN")


def test_a_small_simulation_promotes_a_release_and_refuses_a_bad_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logged_pages, "MIN_ANSWERED", 50)
    monkeypatch.setattr(logged_pages, "MIN_VALIDATION", 10)
    prepare_folder(tmp_path / "data", 0)
    world = SimulatedWorld(tmp_path / "data", 0, SMALL, ignore_progress)
    for name, value in SETTINGS.items():
        setattr(world.settings, name, value)
    try:
        world.serve(24 * SMALL.traffic_days)
        promoted, refused = play(world, BETTER), play(world, WITHOUT_VALUES)
    finally:
        world.close()
    assert promoted.happened, promoted.sentence
    assert (refused.decided, "features" in refused.failed) == (REFUSED, True)
    assert world.count_pages()[1] == 0
    pointer = world.container.releases.read_pointer()
    assert pointer is not None
    assert pointer.serving.id == promoted.release
    steps = [one.step for one in FileHistory(world.settings.loop_dir).of_release(promoted.release)]
    assert steps[:6] == ["build", "gate", "shadow", "canary", "promote", "watch"]

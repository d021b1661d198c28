"""Every setting is read by something, and every ranking setting reaches the config of a request."""

import re
from pathlib import Path

import pytest

from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, build_ranking_config

APP = Path(__file__).parents[3] / "app"
DECLARATIONS = {"settings.py", "data_directories.py", "network_settings.py", "exploration_settings.py"}
RANKING_SETTINGS = {
    **{name: 7 for name in Settings.model_fields if name.startswith("cap_")},
    "explore_slots": 3,
    "similar_exploration_slots": 2,
    "diversity": 0.7,
    "weight_lambdarank": 0.5,
    "weight_pointwise": 0.3,
    "popular_half_life_days": 365,
    "contextual_exploration": False,
    "random_exploration_share": 0.5,
}


@pytest.mark.parametrize(("name", "value"), RANKING_SETTINGS.items())
def test_a_ranking_setting_changes_one_value_of_the_config(name: str, value: float, tmp_path: Path) -> None:
    default = build_ranking_config(Settings(data_dir=tmp_path)).to_values()
    stated = build_container(Settings.model_validate({"data_dir": tmp_path, name: value})).config.to_values()
    assert [stated[key] for key in default if stated[key] != default[key]] == [value]


def test_every_setting_is_read() -> None:
    readers = "".join(p.read_text() for p in APP.rglob("*.py") if p.name not in DECLARATIONS)
    declared = "".join((APP / name).read_text() for name in DECLARATIONS)
    unread = [
        name
        for name in Settings.model_fields
        if not re.search(rf"\.{name}\b", readers) and f"self.{name}" not in declared
    ]
    assert set(unread) <= set(RANKING_SETTINGS), "declared, documented, and read by nothing"

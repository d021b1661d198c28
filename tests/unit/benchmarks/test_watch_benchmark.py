"""The benchmark of the watch fails when good releases are rolled back, and when the worst ones are not."""

from collections.abc import Callable

import pytest

from benchmarks.loop import watch


@pytest.mark.parametrize(
    ("is_rolled_back", "code"),
    [
        (lambda harm: harm > 0.5, 0),
        (lambda harm: False, 1),
        (lambda harm: True, 1),
    ],
    ids=["as meant", "never", "always"],
)
def test_it_fails_in_either_direction(
    is_rolled_back: Callable[[float], bool], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "simulate_pages", lambda seed: None)
    monkeypatch.setattr(watch, "measure_change", lambda pages: 0.0)
    monkeypatch.setattr(watch, "lose", lambda pages, harm, seed: harm)
    monkeypatch.setattr(watch, "is_rolled_back", is_rolled_back)
    assert watch.main(["--small"]) == code

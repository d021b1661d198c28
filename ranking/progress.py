"""How long work tells of itself: a step's name, how much is done, and of how much."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]


def ignore_progress(step: str, done: int, total: int | None) -> None:
    """Says nothing."""

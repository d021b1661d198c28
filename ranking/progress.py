"""Progress of long work: the name of a step, how much is done, and the total, None if unknown."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]


def ignore_progress(step: str, done: int, total: int | None) -> None:
    """Reports nothing."""

"""What the commands print with: one console, one progress display, one way to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from reelrank.ranking.progress import Progress

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def show_progress_bars() -> Iterator[Progress]:
    """Draws each step of long work as a bar with its count, its rate and the time left."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=err) as bars:
        tasks: dict[str, Any] = {}

        def report(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total, rate="")
            task = bars.tasks[bars.task_ids.index(tasks[step])]
            rate = f"{task.speed:,.0f}/s" if task.speed else ""
            bars.update(tasks[step], completed=done, total=total, rate=rate)

        yield report


def print_json(value: Any) -> None:
    """One JSON document on standard output, for scripts."""
    print_plain(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY, default=str).decode()
    )


def print_plain(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


def fail(message: str, code: int = 1) -> NoReturn:
    """Says what went wrong and what to do, and ends with this exit code."""
    err.print("error:", style="bold red", end=" ")
    err.print(message, markup=False, soft_wrap=True)
    raise typer.Exit(code)

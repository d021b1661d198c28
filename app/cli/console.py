"""Output of the commands: one console, one progress display, one way to report an error."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from reelrank.app.web.problem_codes import load_problems
from reelrank.index_mappings.errors import explain
from reelrank.ranking.progress import Progress, ignore_progress

COMMAND_FAILED = "command_failed"
CLOSED_PIPE_STATUS = 141
"""What shells report for a program that SIGPIPE ended; 1 is a verdict: `skew` exits with it on skew."""


def exit_on_closed_pipe(console: Console | None = None) -> NoReturn:
    """Ends the command silently: the reader closed its output, as `head` does."""
    if console is not None:
        console.quiet = True
    devnull = os.open(os.devnull, os.O_WRONLY)  # takes what is still buffered, which Python flushes at exit
    for stream in (sys.stdout, sys.stderr):
        os.dup2(devnull, stream.fileno())
    raise SystemExit(CLOSED_PIPE_STATUS)


Console.on_broken_pipe = exit_on_closed_pipe  # type: ignore[method-assign,assignment]  # for the help, too
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@dataclass(slots=True)
class StageLines:
    """Prints a line at the beginning and at the end of each stage of a long job, for logs and pipes."""

    stage: str = ""
    done: int = 0
    began_s: float = 0.0
    has_ended: bool = True

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Takes the progress of one stage at a time; a smaller count begins the same stage again."""
        if stage != self.stage or done < self.done:
            self.end()
            self.stage, self.began_s, self.has_ended = stage, time.monotonic(), False
            self._print("...")
        self.done = done
        if total is not None and done >= total:
            self.end()

    def end(self) -> None:
        """Ends the stage that has begun, if there is one."""
        if not self.has_ended:
            self._print(f": {self.done:,} in {time.monotonic() - self.began_s:.1f} s")
        self.has_ended = True

    def _print(self, text: str) -> None:
        err.print(f"{self.stage}{text}", markup=False, soft_wrap=True)


@contextmanager
def show_progress_bars() -> Iterator[Progress]:
    """Shows the steps of a long job: bars on a terminal, else lines; with `--json` there are no lines."""
    if err.is_terminal:
        with _draw_bars() as report:
            yield report
    elif wants_json():
        yield ignore_progress
    else:
        lines = StageLines()
        yield lines.report
        lines.end()


@contextmanager
def _draw_bars() -> Iterator[Progress]:
    """Draws each step as a bar with its count, its rate and the remaining time."""
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
    """Prints one JSON document on standard output, for scripts."""
    print_plain(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY, default=str).decode()
    )


def print_plain(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class CommandError:
    """An error of a command, with its code of app/web/problem_codes.py."""

    code: str
    message: str
    remedy: str
    exit_code: int


def describe_error(error: Exception | str, code: str = "") -> CommandError:
    """Describes an error by its own code, or by the one given. A remedy of the error's own goes first."""
    problem = load_problems()[code or getattr(error, "code", COMMAND_FAILED)]
    remedy = getattr(error, "remedy", problem.remedy)
    message = error if isinstance(error, str) else explain(error)
    return CommandError(problem.code, message, remedy, problem.exit_code or 1)


def print_error(error: CommandError, label: str = "error:") -> None:
    """Prints one line for people, or with `--json` one JSON object, on standard error."""
    if wants_json():
        fields = {"code": error.code, "message": error.message, "remedy": error.remedy}
        err.print(orjson.dumps(fields).decode(), markup=False, soft_wrap=True)
    else:
        err.print(label, style="bold red", end=" " if label else "")
        err.print(error.message, markup=False, soft_wrap=True)


def fail(error: Exception | str, code: str = "") -> NoReturn:
    """Prints what went wrong and ends the command with the exit code of this problem."""
    described = describe_error(error, code)
    print_error(described)
    raise typer.Exit(described.exit_code)


def wants_json() -> bool:
    """Returns whether the command line has `--json`, also where it cannot be parsed."""
    options = sys.argv[1 : sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    return "--json" in options

"""The `reelrank` command. It starts the program with the working directory off the import path.

The working directory belongs to the user, and its folders may have any name: `reelrank`, `app`, or that of a
library. Python would import from it when PYTHONPATH names it.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path

WAIT_POLICY = ("OMP_WAIT_POLICY", "PASSIVE")
"""Threads of OpenMP wait without work. By default they spin: while other processes used the cores, a training
run took four to nine times the CPU time. It is read when the library is loaded, so it is set before."""


def main() -> None:
    leave_out_working_directory()
    os.environ.setdefault(*WAIT_POLICY)
    if sys.argv[1:] == ["--version"]:
        print_version()
        return
    from reelrank.app.cli.main import main as run

    run()


def print_version() -> None:
    """Prints the version without the imports of a command, which take a second."""
    try:
        sys.stdout.write(f"reelrank {version('reelrank')}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        from reelrank.app.cli.console import exit_on_closed_pipe

        exit_on_closed_pipe()


def leave_out_working_directory() -> None:
    """Removes it from the import path of this process and of those that it starts."""
    sys.path[:] = [entry for entry in sys.path if not _is_working_directory(entry)]
    if "PYTHONPATH" in os.environ:
        entries = os.environ["PYTHONPATH"].split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join(
            entry for entry in entries if entry and not _is_working_directory(entry)
        )


def _is_working_directory(entry: str) -> bool:
    """Whether an entry of the path is the working directory; False if the program is installed there."""
    directory = Path(entry).resolve()
    return directory == Path.cwd().resolve() and directory != Path(__file__).resolve().parent

"""The `reelrank` command. It starts the program with the working directory off the import path.

The working directory belongs to the user, and its folders may have any name: `reelrank`, `app`, or that of a
library. Python would import from it when PYTHONPATH names it.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path


def main() -> None:
    leave_out_working_directory()
    if sys.argv[1:] == ["--version"]:
        print_version()
        return
    from reelrank.app.cli.main import main as run

    run()


def print_version() -> None:
    """Prints the version without the imports of a command, which take a second."""
    sys.stdout.write(f"reelrank {version('reelrank')}\n")


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

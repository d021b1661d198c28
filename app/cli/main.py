"""The entry point: every command by name, and the one place where errors become exit codes."""

import logging
import os
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer
from pydantic import ValidationError

from reelrank.app.cli.console import CommandError, describe_error, err, print_error, print_plain, wants_json
from reelrank.app.cli.named_commands import NamedCommands
from reelrank.app.diagnostics.setting_names import list_unknown_settings
from reelrank.index_mappings.errors import STORAGE_FAILURES, CodedError, describe_storage_failure
from reelrank.loaders.items.catalogue import LoadRejected
from reelrank.ranking.durable import TEMPORARY_PREFIX

UsageError: type[Any] = typer.BadParameter.__bases__[0]
"""Typer exports no public name for it: it comes from click or from typer's own copy of click, by version."""
EPILOG = (
    "Exit codes: 0 success; 1 failed or rejected; 2 wrong usage, settings or files; 3 the engine is not "
    "available; 141 the reader of the output closed it, as `head` does. With `--json`, the last line of "
    "standard error is one JSON object: code, message and remedy."
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print_plain(f"reelrank {version('reelrank')}")
        raise typer.Exit


app = typer.Typer(
    name="reelrank",
    help="Retrieves and ranks videos, and learns from what people watch.",
    epilog=EPILOG,
    cls=NamedCommands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def describe(
    is_version_asked: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Retrieves and ranks videos, and learns from what people watch."""


def _describe_settings_errors(error: ValidationError) -> list[str]:
    """Describes each wrong setting by its environment variable, without its value, which may be a secret."""
    return [
        ": ".join(
            [
                *(f"REELRANK_{name}".upper() for name in detail["loc"]),
                detail["msg"].removeprefix("Value error, "),
            ]
        )
        for detail in error.errors()
    ]


def main() -> None:
    """Runs the command line. Exit codes: see EPILOG."""
    structlog.configure(  # standard output is for results; `serve` sets up its own log
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING)  # some libraries log every step, over the progress bars
    for warning in list_unknown_settings():
        err.print(f"warning: {warning}", markup=False, soft_wrap=True)
    try:
        _run_for_script() if wants_json() else app()
    except LoadRejected as rejected:
        _exit(describe_error(rejected), "refused:")
    except CodedError as error:
        _exit(describe_error(error))
    except OSError as error:
        if error.errno not in STORAGE_FAILURES and not is_stated_path(error.filename):
            raise
        _exit(describe_error(describe_storage_failure(error), "storage_failed"))
    except ValidationError as error:
        lines = ["error in the settings", *_describe_settings_errors(error)]
        _exit(describe_error("\n".join(lines), "invalid_settings"), "")


def _run_for_script() -> NoReturn:
    """Prints one JSON object on standard error for wrong usage and unexpected errors, too, with `--json`."""
    try:
        sys.exit(app(standalone_mode=False))
    except UsageError as error:
        _exit(describe_error(error.format_message(), "invalid_usage"))
    except (CodedError, ValidationError):
        raise
    except OSError as error:
        if error.errno in STORAGE_FAILURES or is_stated_path(error.filename):
            raise
        traceback.print_exc()
        _exit(describe_error(f"{type(error).__name__}: {error}", "internal_error"))
    except Exception as error:
        traceback.print_exc()
        _exit(describe_error(f"{type(error).__name__}: {error}", "internal_error"))


def is_stated_path(path: object) -> bool:
    """Returns whether the file that an error names is one that the command line states, a folder of one, or
    the temporary file beside one.

    Such an error is the user's, such as a folder that cannot be made; any other is a fault of the program.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    failed = Path.cwd() / os.fsdecode(path)
    words = (text for word in sys.argv[1:] for text in (word, word.partition("=")[2]))
    stated = [Path.cwd() / text for text in words if text]
    is_temporary = failed.name.startswith(TEMPORARY_PREFIX)
    return any(
        failed in (one, *one.parents) or (is_temporary and failed.parent == one.parent) for one in stated
    )


def _exit(error: CommandError, label: str = "error:") -> NoReturn:
    print_error(error, label)
    sys.exit(error.exit_code)

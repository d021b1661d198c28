"""The entry point: every command by name, and one place where failures become exit codes."""

import logging
import sys

import structlog
import typer
from pydantic import ValidationError

from reelrank.app.cli import ask, data, features, index, kibana, learn, load, migrate, registry, serve
from reelrank.app.cli.console import err
from reelrank.index_mappings.errors import EngineError
from reelrank.loaders.files.source import SourceError
from reelrank.loaders.items.catalogue import LoadRejected

app = typer.Typer(
    name="reelrank",
    help="Retrieves and ranks videos, and learns from what people watch.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
for commands in (data.app, serve.app, learn.app, registry.app, features.app, ask.app, migrate.app):
    app.registered_commands.extend(commands.registered_commands)
    app.registered_groups.extend(commands.registered_groups)
app.add_typer(load.app, name="load")
app.add_typer(index.app, name="index")
app.add_typer(kibana.app, name="kibana")


def _describe_settings_errors(error: ValidationError) -> list[str]:
    """A line for each setting by its name in the environment; never its value, which may be a secret."""
    return [
        ": ".join(
            [*(f"REELRANK_{name}".upper() for name in each["loc"]), each["msg"].removeprefix("Value error, ")]
        )
        for each in error.errors()
    ]


def main() -> None:
    """Exit codes: 0 done, 1 refused or failed, 2 wrong usage or settings, 3 the engine is not there."""
    structlog.configure(  # standard output is for what was asked; `serve` sets up its own log
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING)  # some libraries tell of every step, over the progress bars
    try:
        app()
    except LoadRejected as refused:
        err.print(f"refused: {refused}", markup=False, soft_wrap=True)
        sys.exit(1)
    except SourceError as error:
        err.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except EngineError as error:
        err.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(3)
    except ValidationError as error:
        err.print(
            "error in the settings", *_describe_settings_errors(error), sep="\n", markup=False, soft_wrap=True
        )
        sys.exit(2)

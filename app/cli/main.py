"""The entry point: every command by name, and one place where failures become exit codes."""

import logging
import sys

import typer
from pydantic import ValidationError

from app.cli import ask, data, features, learn, registry, serve
from app.cli.console import err
from index_mappings.errors import EngineError

app = typer.Typer(
    name="reelrank",
    help="Retrieves and ranks videos, and learns from what people watch.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
for commands in (data.app, serve.app, learn.app, registry.app, features.app, ask.app):
    app.registered_commands.extend(commands.registered_commands)
    app.registered_groups.extend(commands.registered_groups)


def main() -> None:
    """Exit codes: 0 done, 1 refused or failed, 2 wrong usage or settings, 3 the engine is not there."""
    logging.getLogger("gensim").setLevel(logging.WARNING)  # it tells of every epoch, over the progress bars
    try:
        app()
    except EngineError as error:
        err.print(f"error: {error}", markup=False)
        sys.exit(3)
    except ValidationError as error:
        err.print(f"error in the settings: {error}", markup=False)
        sys.exit(2)

"""Commands about index versions: list, promote, drop."""

from typing import Annotated

import typer
from rich.table import Table

from reelrank.app.cli.console import fail, out, print_json
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.errors import Conflict, NotFound

app = typer.Typer(
    rich_markup_mode="markdown", no_args_is_help=True, help="List index versions, promote or drop one."
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command("list", epilog="Example: `reelrank index list --json`")
def list_versions(as_json: AsJson = False) -> None:
    """List the index versions, newest first, and say which one serves."""
    versions = build_container(Settings()).engine.versions()
    if as_json:
        facts = [
            {"version": v.name, "created_at": v.created_at, "documents": v.documents, "serving": v.serving}
            for v in versions
        ]
        print_json(facts)
        return
    table = Table("version", "made", "documents", "", box=None)
    for version in versions:
        made = f"{version.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(version.name, made, str(version.documents), "serving" if version.serving else "")
    out.print(table)


@app.command(epilog="Example: `reelrank index promote items-1a2b3c4d-20261124T164500`")
def promote(version: str) -> None:
    """Make a version serve, with the live changes made since it was begun; also after a stopped promotion."""
    try:
        build_container(Settings()).engine.promote(version)
    except NotFound as error:
        fail(f"{error}; see: reelrank index list", error.code)
    out.print(f"{version} serves", markup=False, soft_wrap=True)


@app.command(epilog="Example: `reelrank index drop items-1a2b3c4d-20261124T164500`")
def drop(version: str) -> None:
    """Remove a version that does not serve."""
    try:
        build_container(Settings()).engine.drop(version)
    except (NotFound, Conflict) as error:
        fail(f"{error}; see: reelrank index list", error.code)
    out.print(f"{version} is gone", markup=False, soft_wrap=True)

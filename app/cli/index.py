"""Commands about index versions: list, promote, drop."""

from typing import Annotated

import typer
from rich.table import Table

from reelrank.app.cli.console import out, print_json
from reelrank.app.cli.releases import fail_on_refusal, print_serving
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, build_release_manager

app = typer.Typer(
    rich_markup_mode="markdown", no_args_is_help=True, help="List index versions, promote or drop one."
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command("list", epilog="Example: `reelrank index list --json`")
def list_versions(as_json: AsJson = False) -> None:
    """List the index versions, newest first, and say which one serves."""
    versions = build_container(Settings()).engine.versions()
    if as_json:
        rows = [
            {"version": v.name, "created_at": v.created_at, "documents": v.documents, "serving": v.serving}
            for v in versions
        ]
        print_json(rows)
        return
    table = Table("version", "made", "documents", "", box=None)
    for version in versions:
        made = f"{version.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(version.name, made, str(version.documents), "serving" if version.serving else "")
    out.print(table)


@app.command(epilog="Example: `reelrank index promote items-1a2b3c4d-20261124T164500`")
def promote(version: str) -> None:
    """Make an index version serve, with its model; also completes a promotion that was stopped."""
    with fail_on_refusal():
        release = build_release_manager(build_container(Settings())).promote_version(version, "index promote")
    print_serving(release)


@app.command(epilog="Example: `reelrank index drop items-1a2b3c4d-20261124T164500`")
def drop(version: str) -> None:
    """Remove an index version and its releases. Those that serve now or served before are refused."""
    with fail_on_refusal():
        build_release_manager(build_container(Settings())).drop_version(version)
    out.print(f"{version} is dropped", markup=False, soft_wrap=True)

"""The command that copies catalogue, learned fields and events from the embedded engine to a cluster."""

from dataclasses import asdict

import typer

from reelrank.app.cli.console import fail, print_json, print_plain, show_progress_bars
from reelrank.app.jobs import migration
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.errors import BadRequest, Conflict, NotFound

app = typer.Typer()


@app.command(epilog="Example: `reelrank migrate --json`")
def migrate(as_json: bool = typer.Option(False, "--json", help="Print one JSON document.")) -> None:
    """Copy catalogue, learned fields and events to the cluster. Run it again to copy later changes."""
    try:
        with show_progress_bars() as progress:
            moved = migration.migrate(build_container(Settings()), progress)
    except (BadRequest, Conflict, NotFound) as error:
        fail(error)
    if as_json:
        print_json(asdict(moved))
        return
    kept = f", {moved.kept:,} left as they were changed on the cluster" if moved.kept else ""
    print_plain(f"{moved.items:,} items written, {moved.deleted:,} deleted{kept}; {moved.version} serves")
    print_plain(
        f"{moved.events:,} events copied; {moved.events_here:,} are on the embedded engine, "
        f"{moved.events_there:,} on the cluster"
    )

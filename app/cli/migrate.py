"""The command that moves catalogue, what was learned and events from the embedded engine to a cluster."""

from dataclasses import asdict

import typer

from reelrank.app.cli.console import fail, print_json, print_plain, show_progress_bars
from reelrank.app.jobs import migration
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.errors import BadRequest, Conflict, NotFound

app = typer.Typer()


@app.command(epilog="Example: `reelrank migrate --json`")
def migrate(as_json: bool = typer.Option(False, "--json", help="One JSON document.")) -> None:
    """Copy catalogue, what was learned and all events to the cluster; run again for what came since."""
    try:
        with show_progress_bars() as progress:
            moved = migration.migrate(build_container(Settings()), progress)
    except (BadRequest, Conflict, NotFound) as error:
        fail(str(error))
    if as_json:
        print_json(asdict(moved))
        return
    kept = f", {moved.kept:,} kept as they were changed on the cluster" if moved.kept else ""
    print_plain(f"{moved.items:,} items written, {moved.deleted:,} deleted{kept}; {moved.version} serves")
    print_plain(
        f"{moved.events:,} events copied; {moved.events_here:,} are on the embedded engine, "
        f"{moved.events_there:,} on the cluster"
    )

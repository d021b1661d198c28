"""Commands about one viewer: export what is recorded of them, and erase it."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer

from reelrank.app.access.audit_log import COMMAND_LINE, AuditLog
from reelrank.app.cli.console import AsJson, out, print_json, print_plain, show_progress_bars
from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.privacy.erasure_journal import ErasureReceipt, PendingErasure
from reelrank.app.privacy.serving_lock import is_served
from reelrank.app.privacy.viewer_eraser import ViewerEraser
from reelrank.app.privacy.viewer_export import export_viewer
from reelrank.app.privacy_wiring import build_viewer_eraser
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.ranking.durable import write_file
from reelrank.ranking.progress import Progress

app = typer.Typer(no_args_is_help=True, help="Export or erase what is recorded of a viewer.")
UserId = Annotated[str, typer.Argument(help="The id of the viewer, as events state it.", min=1)]
POLL_S = 1.0


@app.command(epilog="Example: `reelrank users erase viewer-1 --yes`")
def erase(
    user_id: UserId,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
    wait: Annotated[
        bool, typer.Option(help="Wait until a running service has written what it holds, and clean that too.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Remove a viewer from events, lake, kept lists, dashboards and rejected rows; print a receipt."""
    settings = Settings()
    if not yes:
        typer.confirm("Erase everything that is recorded of this viewer, for good?", abort=True)
    container = build_container(settings)
    eraser = build_viewer_eraser(container)
    pending = eraser.begin(user_id)
    audit = AuditLog(settings.keys_dir, SYSTEM_CLOCK.now)
    audit.record(COMMAND_LINE, f"users erase {pending.id}", "begun")
    is_alone = settings.engine == "embedded" and not is_served(settings.data_dir)
    if is_alone or wait:
        with show_progress_bars() as progress:
            receipt = finish_erasure(eraser, pending, is_alone, progress)
    else:
        receipt = eraser.journal.find_receipt(pending.id)
    print_json(receipt) if as_json else print_receipt(receipt, eraser.settle_s)


@app.command(epilog="Example: `reelrank users export viewer-1 --output viewer-1.json`")
def export(
    user_id: UserId,
    output: Annotated[Path | None, typer.Option(help="Write to this file, which replaces another.")] = None,
) -> None:
    """Print everything that is recorded of a viewer as one JSON document."""
    document = export_viewer(build_viewer_eraser(build_container(Settings())).places, user_id)
    if output is None:
        print_json(document)
        return
    write_file(output, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    print_plain(
        f"{len(document['events']):,} events and {len(document['lake']['requests']):,} requests: {output}"
    )


@app.command(epilog="Example: `reelrank users receipt 5f0c2a9e1b7d4c33`")
def receipt(
    erasure_id: Annotated[str, typer.Argument(help="As `erase` printed it.")], as_json: AsJson = False
) -> None:
    """Show what an erasure removed, and whether it is finished."""
    eraser = build_viewer_eraser(build_container(Settings()))
    found = eraser.journal.find_receipt(erasure_id)
    print_json(found) if as_json else print_receipt(found, eraser.settle_s)


def finish_erasure(
    eraser: ViewerEraser, pending: PendingErasure, is_alone: bool, progress: Progress
) -> ErasureReceipt:
    """Waits until the erasure is due, and finishes it; a worker may do so first. is_alone: no worker runs."""
    if is_alone:
        with eraser.journal.lock_run():
            return eraser.finish(pending)
    begun = time.monotonic()
    while (receipt := eraser.journal.find_receipt(pending.id)).status == "running":
        progress("waiting for running services", round(time.monotonic() - begun), round(eraser.settle_s))
        eraser.finish_due()
        time.sleep(POLL_S)
    return receipt


def print_receipt(receipt: ErasureReceipt, settle_s: float) -> None:
    """Prints what was removed from each place, and what happens next."""
    for place, count in receipt.removed.items():
        out.print(f"{place.replace('_', ' '):<18} {count:,}", markup=False, highlight=False)
    if receipt.finished_at is not None:
        print_plain(
            f"erasure {receipt.id} is finished; no file holds the viewer. The next training run has no trace."
        )
        return
    due = receipt.requested_at + timedelta(seconds=settle_s)
    print_plain(
        f"erasure {receipt.id} is running: a service, or `reelrank users erase` again, finishes it after "
        f"{due:%H:%M:%S} UTC"
    )

"""Commands about stored events."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from reelrank.app.cli.console import AsJson, fail, out, print_json, print_plain, show_progress_bars
from reelrank.app.clock import to_ms
from reelrank.app.jobs.withdrawal import (
    EventSelection,
    TimeRange,
    count_by_day,
    select_events,
    withdraw_events,
)
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.event import EVENT_KINDS, EventKind

app = typer.Typer(no_args_is_help=True, help="Withdraw stored events, such as those of a wrong clock.")
FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def _describe_time(text: str) -> Any:
    return typer.Option(formats=FORMATS, help=text)


@app.command(epilog="Example: `reelrank events withdraw --at-from 2027-11-27 --dry-run`")
def withdraw(  # noqa: PLR0913  # a command's options are its arguments
    *,
    at_from: Annotated[datetime | None, _describe_time("Happened at this time (UTC) or later.")] = None,
    at_to: Annotated[datetime | None, _describe_time("Happened before this time.")] = None,
    received_from: Annotated[
        datetime | None, _describe_time("Received at this time or later, by the server's clock.")
    ] = None,
    received_to: Annotated[datetime | None, _describe_time("Received before this time.")] = None,
    user: str = typer.Option("", help="Of this viewer; * and ? stand for any characters and for one."),
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Of this kind, such as watch; repeat it for more.")
    ] = None,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only count them, by day."),
    yes: bool = typer.Option(False, "--yes", help="Withdraw them without asking."),
    as_json: AsJson = False,
) -> None:
    """Remove the events that fulfil all conditions for good. Popularity follows; to learn anew, train."""
    happened, received = to_range(at_from, at_to), to_range(received_from, received_to)
    selection = EventSelection(happened, received, user, parse_kinds(kinds or []))
    if not selection.is_limited:
        fail("state which events: a time, a viewer or a kind", "invalid_usage")
    if as_json and not (dry_run or yes):
        fail("with --json nobody can be asked: add --dry-run or --yes", "invalid_usage")
    store = build_container(Settings()).events
    found = select_events(store, selection)
    days, withdrawn = count_by_day(found), 0
    if not as_json:
        print_days(days, len(found))
    if len(found) and not dry_run:
        if not yes:
            typer.confirm(f"Withdraw {len(found):,} events for good?", abort=True)
        with show_progress_bars() as progress:
            withdrawn = withdraw_events(store, found, progress)
    if as_json:
        print_json({"selected": len(found), "withdrawn": withdrawn, "by_day": days})
    elif withdrawn:
        learned = "to forget what was learned from them, run: reelrank train"
        print_plain(f"{withdrawn:,} events withdrawn; {learned}")


def to_range(start: datetime | None, end: datetime | None) -> TimeRange:
    """Returns the range between two times in UTC."""
    start_ms, end_ms = (None if time is None else to_ms(time.replace(tzinfo=UTC)) for time in (start, end))
    return TimeRange(start_ms, end_ms)


def parse_kinds(names: list[str]) -> tuple[EventKind, ...]:
    """Returns the kinds of these names; ends the command with an error for another name."""
    if unknown := set(names) - set(EVENT_KINDS):
        fail(f"{', '.join(sorted(unknown))} is no kind of event: {', '.join(EVENT_KINDS)}", "invalid_usage")
    return tuple(kind for kind in EVENT_KINDS if kind in names)


def print_days(days: dict[str, dict[str, int]], total: int) -> None:
    """Prints how many events are selected, by day and kind."""
    table = Table("day", "kinds", Column("events", justify="right"), box=None)
    for day, kinds in days.items():
        named = ", ".join(f"{kind} {count:,}" for kind, count in sorted(kinds.items()))
        table.add_row(day, named, f"{sum(kinds.values()):,}")
    if days:
        out.print(table)
    print_plain(f"{total:,} events selected")

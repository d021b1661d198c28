"""The commands of the lake: export events, compact, check, and show what it holds."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from reelrank.app.cli.console import AsJson, fail, out, print_json, print_plain, show_progress_bars
from reelrank.app.cli.tables.lake import print_decision, print_report
from reelrank.app.jobs.lake import (
    CompactionOutcome,
    check_whole_lake,
    compact_lake,
    export_lake,
    find_decision,
    list_file_urls,
)
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container

app = typer.Typer(
    help="Export, compact, check and show the lake of decisions and events.", no_args_is_help=True
)
From = Annotated[
    datetime | None,
    typer.Option("--from", help="First day or time, UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
]
To = Annotated[
    datetime | None,
    typer.Option("--to", help="Time after the last, UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"]),
]
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC) + timedelta(hours=24)


@app.command(epilog="Example: `reelrank lake export`")
def export(as_json: AsJson = False) -> None:
    """Copy new events from the event store into the lake, each exactly once."""
    with show_progress_bars() as progress:
        report = export_lake(build_container(Settings()), progress)
    if as_json:
        print_json(asdict(report))
        return
    print_plain(f"exported {report.events:,} events in {report.files:,} files; the lake has {report.total:,}")


@app.command(epilog="Example: `reelrank lake compact --dry-run`")
def compact(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Merge the files of closed dates, and remove dates older than REELRANK_LAKE_KEEP_DAYS."""
    with show_progress_bars() as progress:
        outcome = compact_lake(build_container(Settings()), progress, dry_run)
    if as_json:
        print_json(_describe_outcome(outcome, dry_run))
        return
    merged, would = outcome.compaction, "would be " if dry_run else ""
    for table, day in outcome.expired:
        print_plain(f"{table} of {day}: {would}removed")
    if not merged.dates:
        print_plain("every closed date is compacted")
        return
    size = f"{merged.bytes_before / 1e6:,.1f} MB"
    if dry_run:
        print_plain(f"{merged.files_before:,} files ({size}) of {len(merged.dates)} dates would be merged")
        return
    print_plain(
        f"{merged.files_before:,} files ({size}) of {len(merged.dates)} dates became {merged.files_after:,} "
        f"({merged.bytes_after / 1e6:,.1f} MB)"
    )


@app.command(epilog="Example: `reelrank lake check`")
def check(as_json: AsJson = False) -> None:
    """Read the footer of every file and name what is missing, damaged or left over."""
    with show_progress_bars() as progress:
        report = check_whole_lake(build_container(Settings()), progress)
    if as_json:
        print_json(
            {"tables": list(map(asdict, report.tables)), "findings": list(map(asdict, report.findings))}
        )
    else:
        print_report(report)
        for finding in report.findings:
            style = "bold red" if finding.severity == "problem" else "yellow"
            out.print(f"{finding.severity}:", style=style, end=" ")
            print_plain(f"{finding.path}: {finding.message}")
    if report.problems:
        fail(f"{len(report.problems)} files of the lake need repair", "lake_problems_found")


@app.command(epilog="Example: `reelrank lake show` or `reelrank lake show --files candidates`")
def show(
    request_id: Annotated[str, typer.Argument(help="A request to show with its candidates.")] = "",
    files: Annotated[str, typer.Option(help="Print the files of a table, for DuckDB or another tool.")] = "",
    from_: From = None,
    to: To = None,
    as_json: AsJson = False,
) -> None:
    """Show how much the lake holds, one decision with its candidates, or the files of a table."""
    container = build_container(Settings())
    begin = from_.replace(tzinfo=UTC) if from_ else FIRST
    end = to.replace(tzinfo=UTC) if to else LAST
    if files:
        urls = list_file_urls(container, files, begin, end)
        print_json(urls) if as_json else print_plain("\n".join(urls))
    elif request_id:
        decision = find_decision(container, request_id, begin, end)
        if decision is None:
            fail(f"the lake has no request {request_id}", "lake_request_unknown")
        print_json(decision) if as_json else print_decision(decision)
    else:
        with show_progress_bars() as progress:
            report = check_whole_lake(container, progress)
        print_json([asdict(table) for table in report.tables]) if as_json else print_report(report)


def _describe_outcome(outcome: CompactionOutcome, is_dry_run: bool) -> dict[str, Any]:
    return {"dry_run": is_dry_run, "expired": outcome.expired, **asdict(outcome.compaction)}

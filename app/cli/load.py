"""Commands that load a catalogue or a history from files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from reelrank.app.cli.console import err, out, print_json, print_plain, show_progress_bars
from reelrank.app.jobs.loading import LoadRequest, load_events, load_index, load_items
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.loaders.events.event_columns import EVENT_COLUMNS, has_ubi_rows
from reelrank.loaders.fields.field_map import Field, FieldRules, parse_field_pairs, read_mapping
from reelrank.loaders.fields.mapped_rows import read_first_rows
from reelrank.loaders.fields.times import Unit
from reelrank.loaders.files.rows import Column, Rows
from reelrank.loaders.files.source import Format, QuoteRule, ReadOptions, open_source_files
from reelrank.loaders.items.item_rows import ITEM_FIELDS
from reelrank.loaders.report import FileReport

app = typer.Typer(
    help="Load a catalogue or a history from Parquet, CSV or JSONL files.", no_args_is_help=True
)
File = Annotated[
    str, typer.Argument(metavar="FILE", help="A file, a folder, a glob, or - for standard input.")
]
Form = Annotated[
    Format | None, typer.Option("--format", help="File format, when the name has no known suffix.")
]
Map = Annotated[list[str] | None, typer.Option("--map", help="field=column; repeat it for more.")]
Mapping = Annotated[Path | None, typer.Option("--mapping", help="A TOML file with such pairs.")]
IdFrom = Annotated[
    str | None, typer.Option(help="Columns such as title,year to compute ids from, when there is no id.")
]
Quote = Annotated[
    QuoteRule | None, typer.Option("--quote", help="Quote marks in CSV: csv, or none for text.")
]
Encoding = Annotated[str | None, typer.Option(help="Encoding of text, such as cp1252.")]
Member = Annotated[str | None, typer.Option(help="The file to read in a ZIP archive.")]
Separator = Annotated[str | None, typer.Option(help="Separator of lists inside a text, such as ';'.")]
DurationUnit = Annotated[Unit | None, typer.Option(help="Unit of bare numbers in a column of durations.")]
Kind = Annotated[str | None, typer.Option(help="Kind of every event, such as watch, when no column has it.")]
Rejects = Annotated[Path | None, typer.Option(help="File for rejected rows.")]
Share = Annotated[
    float | None, typer.Option("--reject-share-max", min=0, max=1, help="Replaces REELRANK_REJECT_SHARE_MAX.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and check every row without writing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the final report as one JSON document.")]


@app.command(epilog="Example: `reelrank load items films.csv --map title=name --duration-unit min --dry-run`")
def items(  # noqa: PLR0913  # a command's options are its arguments
    file: File,
    *,
    form: Form = None,
    quote: Quote = None,
    encoding: Encoding = None,
    member: Member = None,
    pairs: Map = None,
    mapping: Mapping = None,
    id_from: IdFrom = None,
    separator: Separator = None,
    duration_unit: DurationUnit = None,
    rejects: Rejects = None,
    reject_share_max: Share = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Load a catalogue into a new index version, which serves once it is complete and verified."""
    options = {"separator": separator, "duration_unit": duration_unit, "id_from": id_from}
    rules = _build_rules(ITEM_FIELDS, pairs, mapping, options)
    with (
        open_source_files(file, form, ReadOptions(quote, encoding, member)) as (files, skipped),
        _report_interruption(),
        show_progress_bars() as progress,
    ):
        request = LoadRequest(files, rules, dry_run, rejects, reject_share_max)
        _print_plan(request, skipped, err if as_json else out)
        report = load_items(build_container(Settings()), request, progress)
    _print_report(report, "items", dry_run, as_json)


@app.command(epilog="Example: `reelrank load events watches.jsonl.gz --kind watch --map watched_ms=seconds`")
def events(  # noqa: PLR0913  # a command's options are its arguments
    file: File,
    *,
    form: Form = None,
    quote: Quote = None,
    encoding: Encoding = None,
    member: Member = None,
    pairs: Map = None,
    mapping: Mapping = None,
    kind: Kind = None,
    duration_unit: DurationUnit = None,
    rejects: Rejects = None,
    reject_share_max: Share = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Load a history of viewer events, also UBI 1.3 lines unchanged. The same event counts once."""
    rules = _build_rules(EVENT_COLUMNS, pairs, mapping, {"kind": kind, "duration_unit": duration_unit})
    with (
        open_source_files(file, form, ReadOptions(quote, encoding, member)) as (files, skipped),
        _report_interruption(),
        show_progress_bars() as progress,
    ):
        request = LoadRequest(files, rules, dry_run, rejects, reject_share_max)
        _print_plan(request, skipped, err if as_json else out, has_ubi_rows)
        report = load_events(build_container(Settings()), request, progress)
    _print_report(report, "events", dry_run, as_json)


@app.command(epilog="Example: `reelrank load index`")
def index(as_json: AsJson = False) -> None:
    """Read the existing index that REELRANK_ENGINE_INDEX names into a new version, without changing it."""
    with show_progress_bars() as progress:
        report = load_index(build_container(Settings()), progress)
    if as_json:
        print_json(asdict(report))
        return
    print_plain(f"{report.read:,} read = {report.written:,} written + {len(report.rejected):,} rejected")
    print_plain(f"index version {report.version} serves")


@contextmanager
def _report_interruption() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        err.print("stopped; nothing is lost: run the same command again to continue, nothing is loaded twice")
        raise


def _build_rules(
    fields: tuple[Field, ...], pairs: Sequence[str] | None, mapping: Path | None, options: dict[str, Any]
) -> FieldRules:
    """Builds the rules of a load; options of the command line win over the mapping file."""
    columns, settings = read_mapping(mapping) if mapping else ({}, {})
    stated: dict[str, Any] = {
        **settings,
        **{name: value for name, value in options.items() if value is not None},
    }
    constants = {"kind": stated["kind"]} if "kind" in stated else {}
    columns |= parse_field_pairs(pairs or ())
    id_columns = tuple(name.strip() for name in stated.get("id_from", "").split(",") if name.strip())
    return FieldRules(
        fields, columns, stated.get("separator"), stated.get("duration_unit"), constants, id_columns
    )


def _print_plan(
    request: LoadRequest,
    skipped_files: Sequence[str],
    console: Console,
    needs_no_mapping: Callable[[Rows], bool] | None = None,
) -> None:
    """Prints how the first file will be read, before the load begins."""
    first = read_first_rows(request.files, request.rules, needs_no_mapping)
    size = sum(file.size for file in request.files)
    console.print(f"{len(request.files)} file(s), {size / 1e6:,.1f} MB", markup=False, soft_wrap=True)
    if skipped_files:
        console.print(f"skipped, unknown format: {', '.join(skipped_files)}", markup=False, soft_wrap=True)
    if first is None:
        return
    if first.fields is None:
        console.print("records of User Behavior Insights 1.3, read unchanged", markup=False, soft_wrap=True)
        return
    table = Table("field", "from", "first value", box=None)
    for field in request.rules.fields:
        columns = first.fields.columns.get(field.name, ())
        values = [_format_first_value(first.rows.block.column(column)) for column in columns]
        unit = (
            f" ({first.fields.find_unit(columns[0]) or 'unit as written'})"
            if columns and field.length
            else ""
        )
        constant = request.rules.constants.get(field.name)
        if field.name == "id" and request.rules.id_columns:
            columns = request.rules.id_columns
            values = [f"hash of {' and '.join(columns)}"]
        source = f"always {constant}" if constant else f"{', '.join(columns) or '-'}{unit}"
        table.add_row(field.name, source, " + ".join(values))
    console.print(table)
    if first.fields.unused:
        console.print(f"unused columns: {', '.join(first.fields.unused)}", markup=False, soft_wrap=True)


def _format_first_value(column: Column) -> str:
    value = column[0] if isinstance(column, list) else column[0].as_py()
    return "" if value is None else str(value)[:50]


def _print_report(report: FileReport, kind: str, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(report), "dry_run": dry_run})
        return
    written = "would be written" if dry_run else "written"
    rate = report.read / max(report.seconds, 1e-9)
    line = f"{report.read:,} read = {report.written:,} {written} + {report.rejected:,} rejected"
    print_plain(f"{line}; {report.seconds:.1f} s, {rate:,.0f} rows/s")
    if not dry_run and report.kept != report.written:
        reason = "repeat an id" if kind == "items" else "had been loaded before"
        print_plain(f"{report.written - report.kept:,} of the written {reason}; {report.kept:,} are kept")
    if report.resumed:
        print_plain(f"{report.resumed:,} of the rows had been read before the load stopped")
    if report.rejects:
        print_plain(f"rejected rows and their reasons: {report.rejects}")
    for name, counts in report.ignored.items():
        print_plain(
            f"unreadable values of {name}, left empty: {counts.ignored:,}; first: {counts.first_ignored}"
        )
    if report.unused:
        print_plain(f"unused columns: {', '.join(report.unused)}")
    if report.version:
        print_plain(f"index version {report.version} serves")

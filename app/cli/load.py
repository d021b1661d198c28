"""Commands that load a catalogue or a history from files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from reelrank.app.cli.console import err, out, print_json, print_plain, show_progress_bars
from reelrank.app.cli.tables.load_report import print_plan, print_refused_check, print_report, write_refusal
from reelrank.app.jobs.loading import LoadRequest, load_events, load_index, load_items, survey_files
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.errors import CodedError
from reelrank.loaders.events.column_names import EVENT_COLUMNS
from reelrank.loaders.events.event_columns import has_ubi_rows
from reelrank.loaders.fields.durations import Unit
from reelrank.loaders.fields.field_map import Field, FieldRules, parse_field_pairs, read_mapping
from reelrank.loaders.files.source import Format, QuoteRule, ReadOptions, open_source_files
from reelrank.loaders.items.column_names import ITEM_FIELDS

app = typer.Typer(
    help="Load a catalogue or a history from Parquet, CSV, TSV or JSON files.", no_args_is_help=True
)
File = Annotated[
    str, typer.Argument(metavar="FILE", help="A file, a folder, a glob, or - for standard input.")
]
Form = Annotated[
    Format | None, typer.Option("--format", help="File format, when the name has no known suffix.")
]
Map = Annotated[
    list[str] | None, typer.Option("--map", help="field=column; repeat it for more; field= leaves it out.")
]
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
DateFormat = Annotated[str | None, typer.Option(help="Form of dates for strptime, such as %d.%m.%Y.")]
LatestDate = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Later dates are not read; the end of next year by default."),
]
TitleYear = Annotated[
    bool | None,
    typer.Option(help="Whether titles end with a year, as in Toy Story (1995). Default: detected."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Reject a row for any value that cannot be read.")]
ReportFile = Annotated[Path | None, typer.Option("--report", help="Write the report as JSON to this file.")]
DurationUnit = Annotated[Unit | None, typer.Option(help="Unit of bare numbers in a column of durations.")]
Kind = Annotated[str | None, typer.Option(help="Kind of every event, such as watch, when no column has it.")]
Rejects = Annotated[Path | None, typer.Option(help="File for rejected rows.")]
Share = Annotated[
    float | None, typer.Option("--reject-share-max", min=0, max=1, help="Replaces REELRANK_REJECT_SHARE_MAX.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read and check every row; write nothing but rejected rows.")
]
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
    date_format: DateFormat = None,
    latest_date: LatestDate = None,
    title_year: TitleYear = None,
    strict: Strict = False,
    rejects: Rejects = None,
    reject_share_max: Share = None,
    dry_run: DryRun = False,
    report_file: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Load a catalogue into a new index version, which serves once it is complete and verified."""
    options = {"separator": separator, "duration_unit": duration_unit, "id_from": id_from}
    date_options = {"date_format": date_format, "latest_date": latest_date, "title_year": title_year}
    rules = _build_rules(ITEM_FIELDS, pairs, mapping, {**options, **date_options, "is_strict": strict})
    with (
        _report_failure("items", report_file, dry_run, as_json),
        open_source_files(file, form, ReadOptions(quote, encoding, member)) as (files, skipped),
        show_progress_bars() as progress,
    ):
        container = build_container(Settings())
        request = LoadRequest(files, rules, dry_run, rejects, reject_share_max)
        request, fields = survey_files(container, request)
        if not dry_run:
            print_plan(request, fields, skipped, err if as_json else out)
        report = load_items(container, request, progress)
    print_report(report, "items", request, as_json, report_file)


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
    date_format: DateFormat = None,
    strict: Strict = False,
    rejects: Rejects = None,
    reject_share_max: Share = None,
    dry_run: DryRun = False,
    report_file: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Load a history of viewer events, also UBI 1.3 lines unchanged. The same event counts once."""
    options = {"kind": kind, "duration_unit": duration_unit, "date_format": date_format}
    rules = _build_rules(EVENT_COLUMNS, pairs, mapping, {**options, "is_strict": strict})
    with (
        _report_failure("events", report_file, dry_run, as_json),
        open_source_files(file, form, ReadOptions(quote, encoding, member)) as (files, skipped),
        show_progress_bars() as progress,
    ):
        container = build_container(Settings())
        request = LoadRequest(files, rules, dry_run, rejects, reject_share_max)
        request, fields = survey_files(container, request, has_ubi_rows)
        if not dry_run:
            print_plan(request, fields, skipped, err if as_json else out)
        report = load_events(container, request, progress)
    print_report(report, "events", request, as_json, report_file)


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
def _report_failure(kind: str, report_file: Path | None, is_dry_run: bool, as_json: bool) -> Iterator[None]:
    """Says what an interruption means, and reports what is known of a load that was refused."""
    try:
        yield
    except CodedError as error:
        if report_file is not None:
            write_refusal(error, is_dry_run, report_file)
        if is_dry_run:
            print_refused_check(error, kind, as_json)
        raise
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
    latest = stated.get("latest_date")
    return FieldRules(
        fields,
        columns,
        stated.get("separator"),
        stated.get("duration_unit"),
        constants,
        id_columns,
        stated.get("date_format"),
        None if latest is None else latest.date(),
        bool(stated.get("is_strict")),
        stated.get("title_year"),
    )

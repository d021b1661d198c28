"""What a load will do, and what it did, in tables of 80 columns and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from reelrank.app.cli.console import out, print_json, print_plain
from reelrank.app.jobs.loading import LoadRequest
from reelrank.index_mappings.errors import CodedError
from reelrank.loaders.fields.field_map import FieldMap
from reelrank.loaders.fields.guesses import describe_fields
from reelrank.loaders.items.catalogue import LoadRejected
from reelrank.loaders.report import FieldReport, FileReport
from reelrank.ranking.durable import write_file

MAX_SAMPLE_CHARACTERS = 36
SAMPLE_SEPARATOR = " | "
"""Between the names of a list, so that a name with a comma is seen to be one."""


def print_plan(
    request: LoadRequest, fields: FieldMap | None, skipped: Sequence[str], console: Console
) -> None:
    """Prints which column fills which field, before the load begins."""
    size = sum(file.size for file in request.files)
    console.print(f"{len(request.files)} file(s), {size / 1e6:,.1f} MB", markup=False, soft_wrap=True)
    if skipped:
        console.print(f"skipped, unknown format: {', '.join(skipped)}", markup=False, soft_wrap=True)
    if fields is None:
        return
    table = Table("field", "from", "read as", box=None)
    for name, field in describe_fields(fields, {}).items():
        if field.columns or field.guess:
            table.add_row(name, Text(", ".join(field.columns)), Text(field.guess))
    console.print(table)


def print_report(
    report: FileReport, kind: str, request: LoadRequest, as_json: bool, file: Path | None
) -> None:
    """Prints the report of a load, or of a dry run with samples of every field; also writes it to a file."""
    document = {**asdict(report), "dry_run": request.dry_run}
    if file is not None:
        _write_report(file, document)
    if as_json:
        print_json(document)
        return
    if request.dry_run:
        _print_fields(report.fields)
    _print_counts(report, kind, request.dry_run)
    _print_findings(report)
    if file is not None:
        print_plain(f"report: {file}")
    if report.version:
        print_plain(f"index version {report.version} serves")


def print_refused_check(error: CodedError, kind: str, as_json: bool) -> None:
    """Prints what a dry run found before it was refused: fields and counts, if all rows were checked."""
    report = error.report if isinstance(error, LoadRejected) else None
    if report is None:
        return
    if as_json:
        print_json(_describe_refusal(error, is_dry_run=True))
        return
    _print_fields(report.fields)
    _print_counts(report, kind, is_dry_run=True)
    _print_findings(report)


def _print_findings(report: FileReport) -> None:
    for note in report.notes:
        print_plain(f"note: {note}")
    for name, counts in report.ignored.items():
        print_plain(
            f"unreadable values of {name}, left empty: {counts.ignored:,}; first: {counts.first_ignored}"
        )
    if report.unused:
        print_plain(f"unused columns: {', '.join(report.unused)}")


def write_refusal(error: CodedError, is_dry_run: bool, file: Path) -> None:
    """Writes the report of a load that was refused."""
    _write_report(file, _describe_refusal(error, is_dry_run))


def _describe_refusal(error: CodedError, is_dry_run: bool) -> dict[str, Any]:
    """Returns the report of a load that was refused: the reason, and what is known of the rows."""
    report = error.report if isinstance(error, LoadRejected) else None
    refused = {"code": error.code, "message": str(error)}
    return {**(asdict(report) if report else {}), "dry_run": is_dry_run, "refused": refused}


def _write_report(file: Path, document: Mapping[str, Any]) -> None:
    write_file(file, orjson.dumps(document, default=str, option=orjson.OPT_INDENT_2))


def _print_counts(report: FileReport, kind: str, is_dry_run: bool) -> None:
    written = "would be written" if is_dry_run else "written"
    rate = report.read / max(report.seconds, 1e-9)
    line = f"{report.read:,} read = {report.written:,} {written} + {report.rejected:,} rejected"
    print_plain(f"{line}; {report.seconds:.1f} s, {rate:,.0f} rows/s")
    if report.kept != report.written:
        reason = "repeat an id" if kind == "items" else "had been loaded before"
        kept = "would be kept" if is_dry_run else "are kept"
        print_plain(f"{report.written - report.kept:,} of the written {reason}; {report.kept:,} {kept}")
    if report.resumed:
        print_plain(f"{report.resumed:,} of the rows had been read before the load stopped")
    if report.unknown_actions:
        named = ", ".join(f"{name} {count:,}" for name, count in report.unknown_actions.items())
        print_plain(f"rejected events of unknown kinds: {named}")
    if report.rejects:
        print_plain(f"rejected rows and their reasons: {report.rejects}")


def _print_fields(fields: Mapping[str, FieldReport]) -> None:
    """Prints samples of every field as they would be stored, and how many rows are without a value."""
    table = Table("field", "from", Column("without", justify="right"), "stored as", box=None)
    empty = list[str]()
    for name, field in fields.items():
        if not field.columns and not field.guess:
            empty.append(name)
            continue
        source = "\n".join(filter(None, (", ".join(field.columns), field.guess)))
        samples = "\n".join(_format_sample(sample) for sample in field.values.samples)
        without = field.values.missing + field.values.ignored
        table.add_row(name, Text(source), f"{without:,}", Text(samples))
    if fields:
        out.print(table)
    if empty:
        out.print(f"fields without a column: {', '.join(empty)}", markup=False)


def _format_sample(sample: Any) -> str:
    text = SAMPLE_SEPARATOR.join(map(str, sample)) if isinstance(sample, list | tuple) else str(sample)
    plain = " ".join(text.split())
    return plain if len(plain) <= MAX_SAMPLE_CHARACTERS else f"{plain[: MAX_SAMPLE_CHARACTERS - 3]}..."

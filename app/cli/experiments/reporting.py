"""Commands that plan experiments, report what they did, and preview a release from the log."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from reelrank.app.cli.console import AsJson, out, print_json, print_plain, show_progress_bars
from reelrank.app.cli.experiments.commands import Name, app, read_definition
from reelrank.app.cli.experiments.report_tables import print_report
from reelrank.app.jobs.experiments.preview import Preview, preview_release
from reelrank.app.jobs.experiments.report import Plan, measure_experiment, plan_experiment
from reelrank.app.settings import Settings
from reelrank.app.web.experiments.report_file import render_report_file
from reelrank.app.wiring import build_container
from reelrank.ranking.experiments.measurement.metrics import METRICS
from reelrank.ranking.experiments.measurement.power import POWER


@app.command(epilog="Example: `reelrank experiments plan home-diversity.json`")
def plan(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definition as JSON; - reads from stdin.")],
    as_json: AsJson = False,
) -> None:
    """Say how long an experiment takes, from the variances of the logged pages."""
    definition = read_definition(file)
    with show_progress_bars() as progress:
        found = plan_experiment(build_container(Settings()), definition, progress)
    if as_json:
        print_json(asdict(found))
    else:
        print_plan(found)


@app.command(epilog="Example: `reelrank experiments report home-diversity --json`")
def report(
    name: Name,
    html: Annotated[Path | None, typer.Option(help="Also write the report as one HTML file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure an experiment from the lake, print the verdict, and store it for the operator pages."""
    container = build_container(Settings())
    with show_progress_bars() as progress:
        measured = measure_experiment(container, name, progress)
    if html is not None:
        html.write_text(render_report_file(container.experiments.find(name), measured), encoding="utf-8")
    if as_json:
        print_json(measured.model_dump(mode="json"))
    else:
        print_report(measured)


@app.command(epilog="Example: `reelrank experiments preview --release release-20261127T032130-ab12`")
def preview(
    release: Annotated[str, typer.Option(help="The release that would serve.")],
    days: Annotated[float, typer.Option(min=0.1, max=366, help="How far back to read the log.")] = 14,
    as_json: AsJson = False,
) -> None:
    """Estimate from the log what a release would earn in exploration slots, or say why it cannot know."""
    with show_progress_bars() as progress:
        found = preview_release(build_container(Settings()), release, days, progress)
    if as_json:
        print_json(asdict(found) | {"refusal": found.refusal})
    else:
        print_preview(found)


def print_preview(found: Preview) -> None:
    support = found.support
    print_plain(
        f"{support.decisions:,} exploration slots of {support.viewers:,} viewers in {found.days:g} days; "
        f"effective sample {support.effective:,.0f}, mean weight {support.mean_weight:.2f}"
    )
    for reason, count in found.left_out.items():
        if count:
            print_plain(f"{count:,} left out, {reason}")
    if found.refusal:
        print_plain(f"no estimate: {found.refusal}")
    for reward, estimates in found.estimates.items():
        table = Table(reward, Column("value", justify="right"), "95 % interval", box=None)
        table.add_column("effective", justify="right")
        for one in estimates:
            interval = f"{one.low:,.4g} to {one.high:,.4g}"
            table.add_row(one.method, f"{one.value:,.4g}", interval, f"{one.effective:,.0f}")
        out.print(table)
    print_plain(f"the gate: {found.gate or 'was not asked about this release'}")


def print_plan(found: Plan) -> None:
    metric = METRICS[found.metric]
    table = Table(
        Column("days", justify="right"),
        Column("viewers", justify="right"),
        Column(metric.title.lower(), justify="right"),
        Column("smallest lift", justify="right"),
        box=None,
    )
    for one in found.durations:
        row = (str(one.days), f"{one.viewers:,}", metric.pattern.format(one.mean), f"{one.smallest_lift:.1%}")
        table.add_row(*row)
    out.print(table)
    wanted = f"a lift of {found.smallest_effect:.1%}"
    if not found.durations:
        print_plain(f"the lake has too few viewers to plan with; it holds {found.logged_days} days")
    elif found.days is None:
        print_plain(f"{wanted} needs more than the {found.logged_days} days that the lake holds")
    else:
        print_plain(f"{wanted} is found with a probability of {100 * POWER:.0f} % after {found.days} days")

"""Commands that define, start and stop experiments."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from reelrank.app.cli.console import AsJson, fail, out, print_json, print_plain
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.ranking.experiments.definition import ExperimentDefinition
from reelrank.ranking.experiments.experiment import Experiment
from reelrank.ranking.experiments.store import FileExperiments
from reelrank.ranking.rankers.manifest import describe_validation_error

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Define, start, stop and measure experiments: which viewers are ranked in which way.",
)
Name = Annotated[str, typer.Argument(metavar="NAME")]


@app.command(epilog="Example: `reelrank experiments create home-diversity.json`")
def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definition as JSON; - reads from stdin.")],
    as_json: AsJson = False,
) -> None:
    """Store a definition as a draft; it replaces a draft of the same name."""
    print_experiment(open_store().create(read_definition(file)), as_json)


@app.command("list", epilog="Example: `reelrank experiments list --json`")
def list_experiments(as_json: AsJson = False) -> None:
    """List the experiments, newest first."""
    listed = open_store().list_experiments()
    if as_json:
        print_json([experiment.describe() for experiment in listed])
        return
    table = Table("experiment", "status", "layer", "arms", "started", "primary measure", box=None)
    for one in listed:
        arms = describe_arms(one.definition)
        started = f"{one.started_at:%Y-%m-%d %H:%M}" if one.started_at else ""
        table.add_row(one.name, one.status, one.definition.layer, arms, started, name_measure(one.definition))
    if listed:
        out.print(table)
    else:
        print_plain("there is no experiment yet; run: reelrank experiments create FILE")


@app.command(epilog="Example: `reelrank experiments show home-diversity --json`")
def show(name: Name, as_json: AsJson = False) -> None:
    """Print one experiment with its definition."""
    print_experiment(open_store().find(name), as_json)


@app.command(epilog="Example: `reelrank experiments start home-diversity`")
def start(name: Name, as_json: AsJson = False) -> None:
    """Give viewers their arms, within a second in every worker. The definition never changes again."""
    print_experiment(open_store().start(name), as_json)


@app.command(epilog='Example: `reelrank experiments stop home-diversity --reason "watch time fell"`')
def stop(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why it ends, for those who read it later.")] = "",
    as_json: AsJson = False,
) -> None:
    """Return all viewers to what serves. The report stays."""
    print_experiment(open_store().stop(name, reason), as_json)


@app.command(epilog="Example: `reelrank experiments schema`")
def schema() -> None:
    """Print the JSON schema of a definition."""
    print_json(ExperimentDefinition.model_json_schema())


def open_store() -> FileExperiments:
    """Opens the experiments of this data directory."""
    return build_container(Settings()).experiments


def read_definition(file: Path) -> ExperimentDefinition:
    """Reads a definition; ends the command with an error that names the wrong field."""
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return ExperimentDefinition.model_validate_json(body)
    except ValidationError as error:
        fail(f"{file}: {describe_validation_error(error)}", "invalid_definition")
    except OSError as error:
        fail(f"{file}: {error.strerror}", "invalid_definition")


def name_measure(definition: ExperimentDefinition) -> str:
    return "used items" if definition.interleave else definition.primary


def describe_arms(definition: ExperimentDefinition) -> str:
    """Returns the arms of an experiment in a few words, for a table."""
    if definition.interleave:
        return f"{' and '.join(arm.name for arm in definition.arms)}, interleaved"
    return ", ".join(f"{arm.name} {arm.share:.0%}" for arm in definition.arms)


def print_experiment(experiment: Experiment, as_json: bool) -> None:
    """Prints an experiment: its status, its arms, and what decides."""
    if as_json:
        print_json(experiment.describe())
        return
    definition = experiment.definition
    print_plain(f"{experiment.name}: {experiment.status}\n  {definition.hypothesis}")
    print_plain(f"  layer {definition.layer}, {definition.traffic:.0%} of its viewers")
    for arm in definition.arms:
        values = ", ".join(f"{name} = {value:g}" for name, value in arm.config.items())
        parts = [part for part in (values, f"model {arm.model}" if arm.model else "") if part]
        share = "" if definition.interleave else f" {arm.share:.0%}"
        print_plain(f"  {arm.name}{share}: {', '.join(parts) or 'what serves'}")
    decides = "whose items are used, interleaved" if definition.interleave else definition.primary
    print_plain(f"  decides: {decides}, after {definition.planned_days} days")
    for guardrail in definition.guardrails:
        print_plain(f"  must not lose {guardrail.loss:.0%}: {guardrail.metric}")
    for label, at in (("started", experiment.started_at), ("stopped", experiment.stopped_at)):
        if at is not None:
            print_plain(f"  {label} {at:%Y-%m-%d %H:%M} UTC")
    if experiment.stopped_reason:
        print_plain(f"  because: {experiment.stopped_reason}")

"""The command that plans capacity. Each field of `Assumptions` is an option."""

import inspect
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import typer

from reelrank.app.capacity.assumptions import Assumptions, Rate, build_assumptions, load_committed_rates
from reelrank.app.capacity.plan import Figure, Sensitivity, find_sensitivity, plan_capacity
from reelrank.app.capacity.plot import write_sensitivity_plot
from reelrank.app.cli.console import fail, print_json, print_plain, show_progress_bars
from reelrank.app.cli.tables.layout import Grid, print_grid
from reelrank.app.settings import Settings
from reelrank.ranking.features.compute import FEATURE_NAMES

app = typer.Typer()
WHOLE_FROM = 1_000
"""Figures from here on are printed without a fraction."""


def capacity(*, measure: bool, plot: Path | None, wide: bool, as_json: bool, **stated: float | None) -> None:
    """Plan storage, partitions, cores, machines and network for traffic of any size."""
    given = {name: value for name, value in stated.items() if value is not None}
    try:
        assumptions, sources = build_assumptions(given, {})
        if measure:
            assumptions, sources = build_assumptions(given, _measure(assumptions))
    except ValueError as error:
        fail(str(error), "invalid_usage")
    figures = plan_capacity(assumptions, len(FEATURE_NAMES))
    if plot is not None:
        write_sensitivity_plot(assumptions, plot)
    if as_json:
        print_json(describe_plan(assumptions, sources, figures))
        return
    print_figures(figures, assumptions, wide)
    print_assumptions(assumptions, sources, wide)


def describe_plan(
    assumptions: Assumptions, sources: dict[str, str], figures: Sequence[Figure]
) -> dict[str, Any]:
    """Returns the plan for JSON: assumptions with their sources, figures, and what they depend on."""
    sensitivity: dict[str, list[Sensitivity]] = {
        name: find_sensitivity(assumptions, name) for name in ("serving", "stored")
    }
    return {
        "assumptions": {
            one.name: {
                "value": getattr(assumptions, one.name),
                "unit": one.metadata["unit"],
                "meaning": one.metadata["meaning"],
                "source": sources[one.name],
            }
            for one in fields(assumptions)
        },
        "figures": [asdict(figure) for figure in figures],
        "sensitivity": {name: [asdict(one) for one in found] for name, found in sensitivity.items()},
    }


def print_figures(figures: Sequence[Figure], given: Assumptions, wide: bool) -> None:
    head = ("", "figure", f"{given.candidates_low:,.0f} cand.", f"{given.candidates_high:,.0f} cand.", "")
    section, rows = "", list[Sequence[str]]()
    for one in figures:
        title, section = (one.section if one.section != section else ""), one.section
        rows.append((title, one.name, format_number(one.low), format_number(one.high), one.unit))
    print_grid(Grid(head, rows, cut=("figure",)), wide)


def print_assumptions(given: Assumptions, sources: dict[str, str], wide: bool) -> None:
    rows = [
        (one.name.replace("_", "-"), format_number(getattr(given, one.name)), one.metadata["unit"],
         sources[one.name])
        for one in fields(given)
    ]  # fmt: skip
    print_plain("")
    print_grid(Grid(("assumption", "value", "unit", "from"), rows, cut=("from",)), wide)


def format_number(value: float) -> str:
    """Returns a number for people: large ones in words, small ones with three digits."""
    for size, word in ((1e15, "quadrillion"), (1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:,.4g} {word}"
    return f"{value:,.0f}" if value >= WHOLE_FROM else f"{value:.3g}"


def _measure(assumptions: Assumptions) -> dict[str, Rate]:
    from reelrank.app.capacity.measurement import measure_rates

    with show_progress_bars() as progress:
        return measure_rates(Settings(), assumptions, progress)


def _build_signature() -> inspect.Signature:
    """Builds the options: those of the command, then one for each assumption."""
    rates = load_committed_rates()
    own: list[tuple[str, Any, Any]] = [
        ("measure", bool, typer.Option(False, "--measure", help="Measure rates with this project first.")),
        ("plot", Path | None, typer.Option(None, help="Write what the plan depends on to this SVG file.")),
        ("wide", bool, typer.Option(False, "--wide", help="Print cells whole.")),
        ("as_json", bool, typer.Option(False, "--json", help="Print one JSON document.")),
    ]
    for one in fields(Assumptions):
        value = rates[one.name].value if one.name in rates else one.default
        text = f"{one.metadata['meaning']} [default: {value:g}]"
        own.append((one.name, float | None, typer.Option(None, help=text, metavar=one.metadata["unit"])))
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [inspect.Parameter(name, keyword, default=option, annotation=kind) for name, kind, option in own]
    )


def _add_options() -> None:
    signature = _build_signature()
    annotations = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    vars(capacity).update(__signature__=signature)
    capacity.__annotations__ = annotations
    app.command(epilog="Example: `reelrank capacity --users 5e6 --requests-per-second 2000`")(capacity)


_add_options()

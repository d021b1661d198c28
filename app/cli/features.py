"""The command that lists the features: description, signals, gain and cost of each."""

from typing import Annotated

import typer

from reelrank.app.cli.console import out, print_json
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid
from reelrank.app.diagnostics.feature_costs import FeatureCosts, measure_feature_costs
from reelrank.app.settings import Settings
from reelrank.app.wiring import Container, build_container, read_serving_model
from reelrank.ranking.features.compute import FEATURES
from reelrank.ranking.rankers.manifest import read_manifest

app = typer.Typer()
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(epilog="Example: `reelrank features --json`")
def features(wide: Wide = False, as_json: AsJson = False) -> None:
    """List the features with their gain in the promoted model and their cost, measured now."""
    container = build_container(Settings())
    gains = _load_gains(container)
    costs = measure_feature_costs(container)
    if as_json:
        print_json(_build_document(gains, costs))
    else:
        _print_table(gains, costs, wide)


def _load_gains(container: Container) -> dict[str, float]:
    """Reads each feature's share of the promoted model's split gain; empty when engine order serves."""
    current = read_serving_model(container)
    gains = read_manifest(container.registry.find_directory(current)).gains if current else {}
    total = sum(gains.values()) or 1.0
    return {name: gain / total for name, gain in gains.items()}


def _build_document(gains: dict[str, float], costs: FeatureCosts) -> dict[str, object]:
    rows = [
        {
            "name": f.name,
            "group": f.group,
            "words": f.description,
            "signals": f.reads,
            "missing": f.missing,
            "gain": gains.get(f.name),
            "cost_us_per_1000": costs.feature_costs_us[f.name],
        }
        for f in FEATURES
    ]
    return {
        "features": rows,
        "observing_us_per_1000": costs.signal_costs_us,
        "candidates": costs.candidate_count,
    }


def _print_table(gains: dict[str, float], costs: FeatureCosts, wide: bool) -> None:
    rows = []
    for feature in sorted(FEATURES, key=lambda f: -gains.get(f.name, 0.0)):
        gain = f"{gains[feature.name]:.1%}" if feature.name in gains else "-"
        cost = f"{costs.feature_costs_us[feature.name]:.1f}"
        rows.append((feature.name, feature.group, gain, cost, feature.description))
    header = ("feature", "group", "gain", "µs/1,000", "description")
    print_grid(Grid(header, rows, cut=("description",)), wide)
    observing = [(group, f"{cost_us:.1f}") for group, cost_us in costs.signal_costs_us.items()]
    print_grid(Grid(("signals", "µs/1,000"), observing, title="Signals that the features read"))
    total_us = sum(costs.signal_costs_us.values()) + sum(costs.feature_costs_us.values())
    line = f"all signals and features: {total_us:.0f} µs per 1,000 candidates; the measured request had"
    out.print(f"{line} {costs.candidate_count}", markup=False)

"""Commands about models on disk and features: list, add a model made elsewhere, compile, promote."""

from pathlib import Path
from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, fail, out, print_json, print_plain
from reelrank.app.cli.releases import print_serving
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid
from reelrank.app.diagnostics.feature_costs import FeatureCosts, measure_feature_costs
from reelrank.app.settings import Settings
from reelrank.app.wiring import (
    Container,
    build_container,
    build_release_manager,
    load_model,
    read_serving_model,
)
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.compiled_trees import compile_trees
from reelrank.ranking.rankers.manifest import read_manifest
from reelrank.ranking.registry.models import ModelVersion

app = typer.Typer()
models = typer.Typer(rich_markup_mode="markdown")
app.add_typer(models, name="models")
FromManifest = Annotated[
    Path, typer.Option("--manifest", exists=True, dir_okay=False, help="JSON with id and features.")
]
ModelText = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="LightGBM's model.txt.")]


@models.callback(invoke_without_command=True, epilog="Example: `reelrank models --json`")
def list_models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models, as `reelrank models list` does; or add, compile or roll back one."""
    if context.invoked_subcommand is None:
        print_models(as_json)


@models.command("list", epilog="Example: `reelrank models list --json`")
def print_models(as_json: AsJson = False) -> None:
    """List the models, newest first, and say which one serves."""
    container = build_container(Settings())
    versions = container.registry.versions(read_serving_model(container))
    if as_json:
        print_json([_describe_version(version) for version in versions])
        return
    rows = []
    for version in versions:
        measured = version.metrics.get("ndcg@10")
        created = f"{version.created_at:%Y-%m-%d %H:%M}" if version.created_at else ""
        state = version.problem or ("serving" if version.serving else "")
        rows.append((version.id, created, version.kind, f"{measured.value:.4f}" if measured else "", state))
    print_grid(Grid(("model", "created", "kind", "NDCG@10", "state"), rows), wide=True)


@models.command(epilog="Example: `reelrank models add model.txt --manifest manifest.json`")
def add(model: ModelText, manifest: FromManifest, as_json: AsJson = False) -> None:
    """Import a LightGBM model trained elsewhere. It serves once it is promoted."""
    registry = build_container(Settings()).registry
    name = registry.add_external(model, manifest, FEATURE_NAMES, compute_feature_fingerprint)
    problem = compile_trees(registry.find_directory(name))
    if as_json:
        print_json({"model": name, "compiled": not problem})
    else:
        if problem:
            print_plain(f"its trees have no native code: {problem}")
        print_plain(f"{name} is in the registry; to serve it: reelrank promote {name}")


@models.command("compile", epilog="Example: `reelrank models compile lambdarank-20261124T164500-ab12`")
def compile_model(model: str, as_json: AsJson = False) -> None:
    """Put native code beside a model, so that it scores faster. Needs pylignum and a C compiler."""
    directory = build_container(Settings()).registry.find_directory(model)
    load_model(directory)
    if problem := compile_trees(directory):
        fail(problem, "compilation_failed")
    if as_json:
        print_json({"model": model, "compiled": True})
    else:
        print_plain(f"{model} is compiled; workers use it from their next start or promotion")


@models.command(epilog="Example: `reelrank models rollback`")
def rollback(as_json: AsJson = False) -> None:
    """Go back to the release that served before, as `reelrank releases rollback` does."""
    print_serving(build_release_manager(build_container(Settings())).rollback(), as_json)


@app.command(epilog="Example: `reelrank promote lambdarank-20261124T164500-ab12`")
def promote(model: str, as_json: AsJson = False) -> None:
    """Make a model serve, with an index version that has its embeddings; refused when none has."""
    print_serving(build_release_manager(build_container(Settings())).promote_model(model), as_json)


def _describe_version(version: ModelVersion) -> dict[str, object]:
    metrics = {name: measured.model_dump() for name, measured in version.metrics.items()}
    return {
        "id": version.id,
        "created_at": version.created_at,
        "kind": version.kind,
        "serving": version.serving,
        "metrics": metrics,
        "problem": version.problem,
    }


@app.command(epilog="Example: `reelrank features --json`")
def features(wide: Wide = False, as_json: AsJson = False) -> None:
    """List the features with their gain in the promoted model and their cost, measured now."""
    container = build_container(Settings())
    gains = _load_gains(container)
    costs = measure_feature_costs(container)
    if as_json:
        print_json(_describe_features(gains, costs))
    else:
        _print_features(gains, costs, wide)


def _load_gains(container: Container) -> dict[str, float]:
    """Reads each feature's share of the promoted model's split gain; empty when engine order serves."""
    current = read_serving_model(container)
    gains = read_manifest(container.registry.find_directory(current)).gains if current else {}
    total = sum(gains.values()) or 1.0
    return {name: gain / total for name, gain in gains.items()}


def _describe_features(gains: dict[str, float], costs: FeatureCosts) -> dict[str, object]:
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


def _print_features(gains: dict[str, float], costs: FeatureCosts, wide: bool) -> None:
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

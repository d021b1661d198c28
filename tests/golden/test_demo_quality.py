"""Ranking quality on the demo is compared with committed measures in demo_quality.json.

`make run` trains the model; its manifest has the measures. The test fails when one is outside the committed
interval, and is skipped with a reason when there is no demo model.
"""

import json
import os
from pathlib import Path
from typing import NoReturn

import pytest

from reelrank.app.settings import Settings
from reelrank.index_mappings.mapping import compute_index_fingerprint
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.lambdarank import FusedOrder
from reelrank.ranking.rankers.manifest import Manifest, MetricEstimate, read_manifest
from reelrank.ranking.registry.models import Registry
from reelrank.ranking.registry.releases import FileReleases
from reelrank.ranking.training.lambdarank import build_params

COMMITTED = Path(__file__).with_name("demo_quality.json")
ADVICE = (
    "if the change is intended, run `make run`, then `pytest tests/golden --renew`, and write the reason "
    f"into {COMMITTED.name}"
)


def list_measured_systems(manifest: Manifest) -> dict[str, dict[str, MetricEstimate]]:
    return {**manifest.baselines, "lambdarank": manifest.metrics}


def compute_window_ms(manifest: Manifest) -> int:
    """Returns the time span of the training data. It identifies the demo, whose events are only shifted."""
    return manifest.data_window[1] - manifest.data_window[0] if manifest.data_window else 0


def find_changes(
    committed: dict[str, dict[str, MetricEstimate]], current: dict[str, dict[str, MetricEstimate]]
) -> list[str]:
    """Describes every measure of a system that is missing, new, or outside its committed interval."""
    names = sorted({(s, m) for side in (committed, current) for s in side for m in side[s]})
    changes = []
    for system, measure in names:
        old, new = (side.get(system, {}).get(measure) for side in (committed, current))
        if old is None or new is None:
            changes.append(f"{system} {measure} is {'new' if old is None else 'missing'}")
        elif not old.low <= new.value <= old.high:
            interval = f"{old.value:.4f} [{old.low:.4f}, {old.high:.4f}]"
            changes.append(f"{system} {measure} is {new.value:.4f}, was {interval}")
    return changes


def skip_comparison(reason: str) -> NoReturn:
    """Skips the test, or fails it in CI, which has always run the demo before."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def read_demo_manifest() -> Manifest:
    """Reads the manifest of the serving model in the configured data directory."""
    settings = Settings()
    registry = Registry(settings.models_dir)
    pointer = FileReleases(settings.releases_dir).read_pointer()
    current = FusedOrder.name if pointer is None else pointer.serving.model
    if current == FusedOrder.name:
        skip_comparison(f"no model is promoted in {settings.models_dir}; run `make run` to train the demo's")
    manifest = read_manifest(registry.find_directory(current))
    build = (manifest.feature_fingerprint, manifest.index_fingerprint, manifest.params)
    if build != (
        compute_feature_fingerprint(FEATURE_NAMES),
        compute_index_fingerprint(),
        build_params(FEATURE_NAMES),
    ):
        skip_comparison(f"{current} was trained by another build; run `make clean run`")
    return manifest


def test_the_quality_of_the_demo_is_as_committed(pytestconfig: pytest.Config) -> None:
    manifest = read_demo_manifest()
    if pytestconfig.getoption("--renew"):
        systems = {
            system: {name: measured.model_dump() for name, measured in measures.items()}
            for system, measures in list_measured_systems(manifest).items()
        }
        renewed = {"reason": "", "window_ms": compute_window_ms(manifest), "systems": systems}
        COMMITTED.write_text(json.dumps(renewed, indent=1) + "\n")
    committed = json.loads(COMMITTED.read_text())
    assert committed["reason"], f"write the reason for the change into {COMMITTED.name}"
    if compute_window_ms(manifest) != committed["window_ms"]:
        skip_comparison("the data directory has other data than the demo's")
    expected = {
        system: {name: MetricEstimate.model_validate(measured) for name, measured in measures.items()}
        for system, measures in committed["systems"].items()
    }
    assert find_changes(expected, list_measured_systems(manifest)) == [], ADVICE


def build_measured(value: float) -> dict[str, dict[str, MetricEstimate]]:
    return {"lambdarank": {"ndcg@10": MetricEstimate(value=value, low=value - 0.02, high=value + 0.02)}}


def test_a_change_within_the_interval_passes() -> None:
    assert find_changes(build_measured(0.34), build_measured(0.35)) == []


@pytest.mark.parametrize("value", [0.31, 0.37])
def test_a_worse_or_better_value_beyond_the_interval_is_reported(value: float) -> None:
    assert find_changes(build_measured(0.34), build_measured(value)) == [
        f"lambdarank ndcg@10 is {value:.4f}, was 0.3400 [0.3200, 0.3600]"
    ]


def test_missing_and_new_measures_are_reported() -> None:
    assert find_changes(build_measured(0.34), {}) == ["lambdarank ndcg@10 is missing"]
    assert find_changes({}, build_measured(0.34)) == ["lambdarank ndcg@10 is new"]

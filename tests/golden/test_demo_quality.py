"""How good the demo ranks is committed: a change beyond its interval fails until the figures are renewed.

Nothing is trained here. `make run` trains, and leaves the figures in the manifest of the model that serves;
they are compared with demo_quality.json. Without them, or on other data, the check says why it is skipped.
"""

import json
import os
from pathlib import Path
from typing import NoReturn

import pytest

from reelrank.app.settings import Settings
from reelrank.index_mappings.fingerprint import compute_index_fingerprint
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.manifest import Manifest, MetricEstimate, read_manifest
from reelrank.ranking.registry.models import Registry
from reelrank.ranking.training.lambdarank import PARAMS

COMMITTED = Path(__file__).with_name("demo_quality.json")
HOW = (
    "read the difference; if it is meant, run `pytest tests/golden --renew` after `make run` and write the "
    f"reason into {COMMITTED.name}"
)


def list_measured_systems(manifest: Manifest) -> dict[str, dict[str, MetricEstimate]]:
    return {**manifest.baselines, "lambdarank": manifest.metrics}


def compute_window_ms(manifest: Manifest) -> int:
    """How long the events are that were learned from: the demo's are moved in time, never stretched."""
    return manifest.data_window[1] - manifest.data_window[0] if manifest.data_window else 0


def find_changes(
    committed: dict[str, dict[str, MetricEstimate]], now: dict[str, dict[str, MetricEstimate]]
) -> list[str]:
    """Every measure of every system that is gone, new, or outside its committed interval."""
    places = sorted({(s, m) for side in (committed, now) for s in side for m in side[s]})
    found = []
    for system, measure in places:
        was, value = (side.get(system, {}).get(measure) for side in (committed, now))
        if was is None or value is None:
            found.append(f"{system} {measure} is {'new' if was is None else 'gone'}")
        elif not was.low <= value.value <= was.high:
            interval = f"{was.value:.4f} [{was.low:.4f}, {was.high:.4f}]"
            found.append(f"{system} {measure} is {value.value:.4f}, was {interval}")
    return found


def skip_comparison(reason: str) -> NoReturn:
    """A person's own data are none of this check's business; where CI has run the demo, it has to compare."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def read_demo_manifest() -> Manifest:
    """Of the model that serves in this house's data."""
    settings = Settings()
    registry = Registry(settings.models_dir)
    current = registry.current()
    if current is None:
        skip_comparison(f"no model serves in {settings.models_dir}: `make run` makes the demo's")
    manifest = read_manifest(registry.directory_of(current))
    of_model = (manifest.feature_fingerprint, manifest.index_fingerprint, manifest.params)
    if of_model != (compute_feature_fingerprint(FEATURE_NAMES), compute_index_fingerprint(), PARAMS):
        skip_comparison(f"{current} was trained by another build: `make clean run` makes this build's")
    return manifest


def test_the_demo_ranks_as_well_as_committed(pytestconfig: pytest.Config) -> None:
    manifest = read_demo_manifest()
    if pytestconfig.getoption("--renew"):
        figures = {
            system: {name: measured.model_dump() for name, measured in measures.items()}
            for system, measures in list_measured_systems(manifest).items()
        }
        facts = {"reason": "", "window_ms": compute_window_ms(manifest), "systems": figures}
        COMMITTED.write_text(json.dumps(facts, indent=1) + "\n")
    committed = json.loads(COMMITTED.read_text())
    assert committed["reason"], f"write into {COMMITTED.name} why the figures changed"
    if compute_window_ms(manifest) != committed["window_ms"]:
        skip_comparison("the data of this house are not the demo's")
    systems = {
        system: {name: MetricEstimate.model_validate(facts) for name, facts in measures.items()}
        for system, measures in committed["systems"].items()
    }
    assert find_changes(systems, list_measured_systems(manifest)) == [], HOW


def build_measured(value: float) -> dict[str, dict[str, MetricEstimate]]:
    return {"lambdarank": {"ndcg@10": MetricEstimate(value=value, low=value - 0.02, high=value + 0.02)}}


def test_a_change_within_the_interval_passes() -> None:
    assert find_changes(build_measured(0.34), build_measured(0.35)) == []


@pytest.mark.parametrize("now", [0.31, 0.37])
def test_a_change_beyond_the_interval_is_told_whether_worse_or_better(now: float) -> None:
    assert find_changes(build_measured(0.34), build_measured(now)) == [
        f"lambdarank ndcg@10 is {now:.4f}, was 0.3400 [0.3200, 0.3600]"
    ]


def test_a_measure_that_is_gone_or_new_is_told() -> None:
    assert find_changes(build_measured(0.34), {}) == ["lambdarank ndcg@10 is gone"]
    assert find_changes({}, build_measured(0.34)) == ["lambdarank ndcg@10 is new"]

"""Models made elsewhere: a LightGBM file and a small manifest that names its features."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranking.golden import rows_within
from ranking.manifest import Manifest
from ranking.ranker import LambdaRank


def external_manifest(facts: Mapping[str, Any], model_text: str) -> tuple[Manifest, LambdaRank]:
    """The manifest with a note on the names inside the model file, and the model.

    Raises ValueError when it is no manifest, the model does not load, the numbers of features
    differ, or the model file names the same features in another order.
    """
    manifest = Manifest.model_validate({**facts, "kind": "external"})
    ranker = LambdaRank(manifest.id or "external", manifest.features, model_text)
    note = _note(manifest.features, ranker.booster.feature_name())
    return manifest.model_copy(update={"note": " ".join(filter(None, (manifest.note, note)))}), ranker


def _note(stated: Sequence[str], inside: Sequence[str]) -> str:
    """LightGBM names columns Column_0, Column_1... when it was told no names."""
    if list(stated) == list(inside):
        return ""
    if set(stated) == set(inside):
        raise ValueError("the model file names the same features as the manifest, in another order")
    if all(name == f"Column_{column}" for column, name in enumerate(inside)):
        return ""
    return (
        f"The model file has {len(inside)} features, as many as the manifest, under other names "
        f"({inside[0]}, ...); the manifest's names and order are used."
    )


def external_golden(ranker: LambdaRank) -> NDArray[np.float32]:
    """Made-up rows [64, F] within each feature's range as the model file states it, else 0 to 1."""
    infos = ranker.booster.dump_model().get("feature_infos", {})
    bounds = np.array([_bounds(infos.get(name, {})) for name in ranker.booster.feature_name()], np.float64)
    return rows_within(bounds[:, 0], bounds[:, 1])


def _bounds(info: Mapping[str, Any]) -> tuple[float, float]:
    low, high = float(info.get("min_value", 0.0)), float(info.get("max_value", 1.0))
    return (low, high) if np.isfinite([low, high]).all() and low < high else (0.0, 1.0)

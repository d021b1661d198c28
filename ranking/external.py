"""Models made elsewhere: a LightGBM file and a small manifest that names its features."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranking.golden import rows_within
from ranking.manifest import Manifest
from ranking.model_check import read_sound
from ranking.tree_text import ModelText


def external_manifest(facts: Mapping[str, Any], model_text: str) -> tuple[Manifest, ModelText]:
    """The manifest with a note on the names inside the model file, and what the file states.

    Raises ValueError when it is no manifest, the model file is not sound, the numbers of features
    differ, or the model file names the same features in another order.
    """
    manifest = Manifest.model_validate({**facts, "kind": "external"})
    stated = read_sound(model_text, len(manifest.features))
    note = _note(manifest.features, stated.feature_names)
    return manifest.model_copy(update={"note": " ".join(filter(None, (manifest.note, note)))}), stated


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


def external_golden(stated: ModelText) -> NDArray[np.float32]:
    """Made-up rows [64, F] within each feature's range as the model file states it, else 0 to 1."""
    bounds = np.array(stated.bounds, np.float64)
    return rows_within(bounds[:, 0], bounds[:, 1])

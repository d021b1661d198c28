"""Models trained elsewhere: a LightGBM file and a manifest that names its features."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from reelrank.ranking.rankers.golden_rows import generate_rows
from reelrank.ranking.rankers.manifest import InvalidModel, Manifest, describe_validation_error
from reelrank.ranking.rankers.model_check import read_valid_model
from reelrank.ranking.rankers.tree_text import ModelText


def read_external_model(manifest_fields: Mapping[str, Any], model_text: str) -> tuple[Manifest, ModelText]:
    """Returns the manifest with a note on the names inside the model file, and what the file states.

    Raises ValueError when it is no manifest, the model file is not sound, the numbers of features
    differ, or the model file names the same features in another order.
    """
    try:
        manifest = Manifest.model_validate({**manifest_fields, "kind": "external"})
    except ValidationError as error:
        raise InvalidModel(f"manifest: {describe_validation_error(error)}", "invalid_manifest") from error
    header = read_valid_model(model_text, len(manifest.features))
    note = _compare_names(manifest.features, header.feature_names)
    return manifest.model_copy(update={"note": " ".join(filter(None, (manifest.note, note)))}), header


def _compare_names(manifest_names: Sequence[str], model_names: Sequence[str]) -> str:
    """Compares names. LightGBM names columns Column_0, Column_1... when it gets none."""
    if list(manifest_names) == list(model_names):
        return ""
    if set(manifest_names) == set(model_names):
        reason = "the model file names the same features as the manifest, in another order"
        raise InvalidModel(reason, "features_differ")
    if all(name == f"Column_{column}" for column, name in enumerate(model_names)):
        return ""
    return (
        f"The model file has {len(model_names)} features, as many as the manifest, under other names "
        f"({model_names[0]}, ...); the manifest's names and order are used."
    )


def generate_golden_rows(header: ModelText) -> NDArray[np.float32]:
    """Generates rows [64, F] within each feature's range in the model file, or 0 to 1 without one."""
    bounds = np.array(header.bounds, np.float64)
    return generate_rows(bounds[:, 0], bounds[:, 1])

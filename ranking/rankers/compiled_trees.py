"""A model's trees in a faster form than LightGBM's own: lignum, by default or by `reelrank[compiled]`.

With a C compiler at hand `compile_trees` puts native code beside the model; without one lignum's
interpreter reads the model file. Either serves only if it gives the golden rows their scores.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.ranking.rankers.manifest import MODEL_FILE, POINTWISE_FILE

LIBRARY_FILE = "forest.so"
LIBRARY_FILES = {MODEL_FILE: LIBRARY_FILE, POINTWISE_FILE: "pointwise.so"}
log = logging.getLogger(__name__)


class CompiledTrees:
    """Scores rows on the calling thread, bit by bit as Booster.predict does."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.name = "lignum, compiled" if model.uses_compiled else "lignum"

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features [n, F] to scores [n], n at least 1; not copied where columns lie one after the other.

        One array cut into columns takes half as long as an array for each.
        """
        n, count = features.shape
        values = pa.array(features.ravel(order="F"))
        columns = [values.slice(column * n, n) for column in range(count)]
        batch = pa.RecordBatch.from_arrays(columns, [str(column) for column in range(count)])
        return np.asarray(self._model.predict(batch, raw_score=True, n_jobs=1), np.float32)


def open_compiled_trees(directory: Path, model_file: str = MODEL_FILE) -> CompiledTrees | None:
    """Returns None, with a line in the log, when lignum is not installed or cannot read the model."""
    try:
        import lignum
    except ImportError:
        log.info("pylignum is not installed; LightGBM scores. pip install 'reelrank[compiled]' is faster")
        return None
    path, library = directory / model_file, directory / LIBRARY_FILES[model_file]
    if library.exists():
        try:
            return CompiledTrees(lignum.load(path, format="lightgbm", compiled=library))
        except (OSError, RuntimeError, ValueError) as error:
            log.warning("%s is not used (%s); compile it again: reelrank models compile", library, error)
    try:
        return CompiledTrees(lignum.load(path, format="lightgbm"))
    except (OSError, RuntimeError, ValueError) as error:
        log.warning("lignum cannot read %s (%s); LightGBM scores", path, error)
        return None


def compile_trees(directory: Path) -> str:
    """Writes native code beside the models; returns why there is none, or an empty string."""
    try:
        import lignum
    except ImportError:
        return "pylignum is not installed; pip install 'reelrank[compiled]'"
    try:
        for name, library in LIBRARY_FILES.items():
            if name == MODEL_FILE or (directory / name).exists():
                model = lignum.load(directory / name, format="lightgbm")
                with tempfile.TemporaryDirectory() as work:
                    model.compile(library=directory / library, work_dir=work)
    except (OSError, RuntimeError, ValueError) as error:
        return f"the trees could not be compiled ({error}); is there a C compiler `cc`?"
    return ""

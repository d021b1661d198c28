"""Checks a model in a child process, because LightGBM crashes on some damaged files.

The process is a fresh interpreter: a forked one hangs in LightGBM when its parent has loaded a model.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.rankers.manifest import MODEL_FILE, InvalidModel
from reelrank.ranking.rankers.tree_text import ModelText, read_model_text

ROWS_FILE, SCORES_FILE = "rows.npy", "scores.npy"
LIMIT_S = 60.0
"""Checking a model of a few megabytes takes a second, mostly to start the interpreter."""
REFUSES = 3
"""Exit code of a check that printed a reason in one line."""


def read_valid_model(model_text: str, features: int) -> ModelText:
    """Parses a model file. Raises ValueError unless it is valid and has this number of features."""
    header = read_model_text(model_text)
    columns = len(header.feature_names)
    if columns != features:
        reason = f"the model file has {columns} features, its manifest {features}"
        raise InvalidModel(reason, "features_differ")
    return header


def compute_scores_in_child(
    model_text: str, features: NDArray[np.float32], limit_s: float = LIMIT_S
) -> NDArray[np.float32]:
    """Computes the scores [g] of rows [g, F] in a child process; all of them are finite.

    Raises ValueError when the model does not load, score or explain, or crashes, or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="reelrank-check-") as temporary:
        directory = Path(temporary)
        (directory / MODEL_FILE).write_text(model_text, encoding="utf-8")
        np.save(directory / ROWS_FILE, features.astype(np.float32), allow_pickle=False)
        _run(directory, limit_s)
        scores: NDArray[np.float32] = np.load(directory / SCORES_FILE, allow_pickle=False)
    return scores


def _run(directory: Path, limit_s: float) -> None:
    command = [sys.executable, "-P", "-m", "reelrank.ranking.rankers.model_trial", str(directory)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        process = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"checking it took longer than {limit_s:.0f} s") from error
    if process.returncode == 0:
        return
    words = process.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["without a word"]
    if process.returncode == REFUSES:
        raise ValueError(words[0])
    if process.returncode < 0:
        raise ValueError(
            f"LightGBM crashes on it ({_format_signal(-process.returncode)}); the file is damaged"
        )
    raise ValueError(f"its check ended with {process.returncode}: {words[0][:300]}")


def _format_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""Checks one model, in a process of its own: `python -m reelrank.ranking.rankers.model_trial DIRECTORY`.

Reads the directory's model and rows and writes their scores. On a refusal the last line of stderr says
why, and the exit code is REFUSES.
"""

import resource
import sys
from pathlib import Path

import numpy as np

from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.rankers.manifest import MODEL_FILE
from reelrank.ranking.rankers.model_check import REFUSES, ROWS_FILE, SCORES_FILE

MEMORY_BYTES = 8 << 30
"""Of address space: the libraries and their threads take 2 GB of it, a large model some hundred MB."""
CPU_S = 60
EXPLAINED = 8
UNUSED = ("sklearn", "pandas", "matplotlib", "graphviz", "dask")
"""LightGBM imports them where they are installed, which takes two thirds of this process's time."""


def main(directory: Path) -> None:
    """Raises ValueError when the model is not fit to serve."""
    rows = np.load(directory / ROWS_FILE, allow_pickle=False)
    text = (directory / MODEL_FILE).read_text(encoding="utf-8")
    ranker = LambdaRank("checked", [str(column) for column in range(rows.shape[1])], text)
    scores = ranker.score(rows)
    if scores.shape != (len(rows),):
        raise ValueError("the model file gives several scores a row, a ranker gives one")
    if not np.isfinite(scores).all():
        raise ValueError("some golden rows score infinite or no number")
    explained = np.concatenate([rows[:EXPLAINED], rows[-EXPLAINED:]])  # the last ones have infinite values
    if not np.isfinite(ranker.compute_contributions(explained)).all():
        raise ValueError("its scores cannot be explained: contributions are infinite or no number")
    np.save(directory / SCORES_FILE, scores, allow_pickle=False)


def _limit() -> None:
    """Sets the limits of this process; a lower one that is already set stays."""
    for resource_kind, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(resource_kind)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(resource_kind, (limit, limit))


if __name__ == "__main__":
    _limit()
    sys.modules.update(dict.fromkeys(UNUSED))  # type: ignore[arg-type]  # None: not to be imported
    try:
        main(Path(sys.argv[1]))
    except Exception as error:
        words = "checking it takes too much memory" if isinstance(error, MemoryError) else str(error)
        sys.stderr.write(" ".join(words.split()) + "\n")
        sys.exit(REFUSES)

"""Golden rows: feature rows stored with the scores that the model gave them at registration."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

GOLDEN_FILE, SCORE, POINTWISE_SCORE = "golden.parquet", "score", "pointwise_score"
MAX_GOLDEN_ROWS = 256
INFINITE_ROWS = 6
TOLERANCE = 1e-6
"""Absolute and relative. Scores are float32; another build of LightGBM may add trees in another order."""


@dataclass(frozen=True, slots=True, eq=False)
class GoldenRows:
    """features [g, F] float32 and scores [g] float32."""

    features: NDArray[np.float32]
    scores: NDArray[np.float32]

    def find_mismatch(self, scores: NDArray[np.float32]) -> str:
        """Describes how these scores differ from the golden ones; empty when they do not."""
        wrong = ~np.isclose(scores, self.scores, rtol=TOLERANCE, atol=TOLERANCE)
        if not wrong.any():
            return ""
        row = int(np.flatnonzero(wrong)[0])
        return (
            f"{int(wrong.sum())} of {len(wrong)} golden rows score differently "
            f"(row {row}: {scores[row]:.7g}, was {self.scores[row]:.7g})"
        )


def read_golden(directory: Path, column: str = SCORE) -> GoldenRows:
    """Raises OSError when there is none and ValueError (pyarrow's ArrowInvalid) when it is damaged.

    column: SCORE, or POINTWISE_SCORE; raises KeyError without it.
    """
    with pq.ParquetFile(directory / GOLDEN_FILE) as file:  # read_table imports pyarrow.dataset
        table = file.read()
    rows = table["features"].combine_chunks()
    width = rows.type.list_size
    features = rows.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return GoldenRows(features.astype(np.float32), table[column].to_numpy().astype(np.float32))


def write_golden(directory: Path, golden: GoldenRows, pointwise: NDArray[np.float32] | None = None) -> None:
    """Writes the rows with their scores and, if there are any, those of the pointwise model."""
    width = golden.features.shape[1]
    rows = pa.FixedSizeListArray.from_arrays(pa.array(golden.features.ravel()), width)
    columns = {"features": rows, SCORE: golden.scores}
    if pointwise is not None:
        columns[POINTWISE_SCORE] = pointwise
    pq.write_table(pa.table(columns), directory / GOLDEN_FILE)


def sample_evenly(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns at most MAX_GOLDEN_ROWS of the rows, evenly spaced."""
    if len(features) <= MAX_GOLDEN_ROWS:
        return features
    return features[np.linspace(0, len(features) - 1, MAX_GOLDEN_ROWS).astype(np.intp)]


def add_infinite_rows(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the rows [g, F] and, behind them, some of them again with infinite values.

    Of three of these, each feature is plus infinity in one, minus infinity in another, and unchanged in one.
    """
    rows = features[np.arange(INFINITE_ROWS) % len(features)].copy()
    number, column = np.indices(rows.shape)
    rows[(column + number) % 3 == 0] = np.inf
    rows[(column + number) % 3 == 1] = -np.inf
    return np.concatenate([features, rows])


def generate_rows(
    lows: NDArray[np.float64], highs: NDArray[np.float64], seed: int = 0
) -> NDArray[np.float32]:
    """Generates 64 rows between two bounds [F] each; a tenth of the values is missing."""
    rng = np.random.default_rng(seed)
    rows = rng.uniform(lows, highs, (64, len(lows)))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    with np.errstate(over="ignore"):  # beyond 32 bits it is infinite
        return rows.astype(np.float32)

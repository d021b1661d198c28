"""One trial of the imbalance lab: trains a model on handled rows in a process of its own, and scores with it.

A process of its own, because its peak of memory is then that of this training alone.
"""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.lambdarank import train_ranker
from reelrank.ranking.training.pointwise import train_pointwise
from reelrank.ranking.training.resampling import Handling, handle_imbalance

LINUX_STATUS = Path("/proc/self/status")


class ModelKind(StrEnum):
    POINTWISE = "pointwise"
    LAMBDARANK = "lambdarank"


@dataclass(frozen=True, slots=True)
class Trial:
    """What to train: the kind of model, how imbalance is handled, and the seed of the random choices."""

    model: ModelKind
    handling: Handling
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.model}, {self.handling}"


@dataclass(frozen=True, slots=True, eq=False)
class TrialResult:
    """Scores and corrected probabilities [rows] of the judged rows, and what the training cost.

    uncorrected: the probabilities that the model itself states. cpu_s: of handling and training, all threads.
    peak_mb: the largest resident size of the process until the model was trained. rows: trained on.
    """

    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    uncorrected: NDArray[np.float32]
    cpu_s: float
    peak_mb: float
    rows: int
    synthetic: int


def write_rows(training: TrainingSet, judged: NDArray[np.float32], directory: Path) -> None:
    """Writes the training set and the features [rows, F] to score, for `run_trial` in another process."""
    arrays = {
        "features": training.features,
        "gains": training.gains,
        "groups": training.groups,
        "weights": training.get_row_weights(),
        "judged": judged,
    }
    for name, array in arrays.items():
        np.save(directory / f"{name}.npy", array)


def run_trial(trial: Trial, names: Sequence[str], directory: Path) -> TrialResult:
    """Runs one trial on the files of `write_rows`."""
    arrays = [np.load(directory / f"{name}.npy") for name in ("features", "gains", "groups", "weights")]
    training, started = TrainingSet(*arrays), time.process_time()
    fit = _fit_pointwise if trial.model is ModelKind.POINTWISE else _fit_lambdarank
    model, rows, synthetic = fit(trial, training, names)
    cpu_s = time.process_time() - started
    peak_mb = read_peak_mb()
    scores = model.score(np.load(directory / "judged.npy", mmap_mode="r"))
    calibration = model.calibration or Calibration(slope=1.0, intercept=0.0)
    stated = Calibration(slope=1.0, intercept=0.0) if trial.model is ModelKind.POINTWISE else calibration
    return TrialResult(
        scores,
        calibration.to_probabilities(scores),
        stated.to_probabilities(scores),
        cpu_s,
        peak_mb,
        rows,
        synthetic,
    )


def read_peak_mb() -> float:
    """Returns the largest resident size of this process in MB.

    On Linux from VmHWM: what getrusage tells includes the parent that started the process.
    """
    if LINUX_STATUS.exists():
        fields = dict(line.split(":", 1) for line in LINUX_STATUS.read_text().splitlines() if ":" in line)
        return int(fields["VmHWM"].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS: in bytes


def _fit_pointwise(trial: Trial, training: TrainingSet, names: Sequence[str]) -> tuple[LambdaRank, int, int]:
    earlier, held_out = training.split()
    handled = handle_imbalance(earlier, trial.handling, trial.seed)
    return train_pointwise(handled, held_out, names), len(handled.rows.gains), handled.synthetic


def _fit_lambdarank(trial: Trial, training: TrainingSet, names: Sequence[str]) -> tuple[LambdaRank, int, int]:
    """Trains as `reelrank train` does: its order needs no sampling weights, its calibration has them."""
    rows = 0

    def handle(earlier: TrainingSet) -> TrainingSet:
        nonlocal rows
        handled = handle_imbalance(replace(earlier, weights=None), trial.handling, trial.seed).rows
        rows = len(handled.gains)
        return handled

    trained = train_ranker(training, names, handle=handle)
    model = LambdaRank("lambdarank", names, trained.model_text)
    model.calibration = trained.calibration
    return model, rows, 0

"""The imbalance lab: ways of handling few positive rows, compared on one split by time.

The windows end where the evaluation window begins: a choice by this table has not seen the requests
that `reelrank evaluate` judges.
"""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from reelrank.app.jobs.lab.trial import ModelKind, Trial, TrialResult, run_trial, write_rows
from reelrank.ranking.evaluation.judged_request import JudgedRequest, name_viewer
from reelrank.ranking.evaluation.pooled_measures import PooledMeasures, ScoredRequest, measure_pooled
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.resampling import SYNTHETIC, Handling

CORRECTED = "corrected"
TRIALS = tuple(
    Trial(model, handling)
    for model in ModelKind
    for handling in Handling
    if model is ModelKind.POINTWISE or handling not in SYNTHETIC
)
"""Synthetic rows belong to no query group, so LambdaRank has no use for them."""


@dataclass(frozen=True, slots=True, eq=False)
class ImbalanceRow:
    """One row of the table: a way of handling imbalance, its measures, and what its training cost."""

    trial: Trial
    is_corrected: bool
    measures: PooledMeasures
    cpu_s: float
    peak_mb: float
    rows: int
    synthetic: int

    @property
    def name(self) -> str:
        return f"{self.trial.handling}, {CORRECTED}" if self.is_corrected else str(self.trial.handling)

    @property
    def is_baseline(self) -> bool:
        return self.trial.handling is Handling.NOTHING


@dataclass(frozen=True, slots=True, eq=False)
class ImbalanceReport:
    """The table, and what it was measured on. positive_share: weighted share of positive rows in training."""

    rows: tuple[ImbalanceRow, ...]
    positive_share: float
    training_requests: int
    judged_requests: int
    viewers: int

    def get_baseline(self, model: ModelKind) -> ImbalanceRow:
        """Returns the row of a model whose imbalance is not handled."""
        return next(row for row in self.rows if row.is_baseline and row.trial.model is model)


def compare_handlings(
    training: TrainingSet,
    judged: Sequence[JudgedRequest],
    names: Sequence[str],
    progress: Progress = ignore_progress,
    trials: Sequence[Trial] = TRIALS,
) -> ImbalanceReport:
    """Trains every trial on the training set, in one process after the other, and measures what it ranks.

    Raises ValueError when no judged request has candidates, or all training rows are of one class.
    """
    features = np.concatenate([request.features for request in judged])
    rows: list[ImbalanceRow] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_rows(training, features, directory)
        for done, trial in enumerate(trials):
            # spawned: LightGBM hangs in a forked process if the parent had loaded it
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                result = process.submit(run_trial, trial, tuple(names), directory).result()
            rows += _measure(trial, result, judged)
            progress(f"trained {trial.name}", done + 1, len(trials))
    weights = training.get_row_weights()
    return ImbalanceReport(
        tuple(rows),
        float(np.average(training.gains > 0, weights=weights)),
        len(training.groups),
        len(judged),
        len({name_viewer(request, row) for row, request in enumerate(judged)}),
    )


def _measure(trial: Trial, result: TrialResult, judged: Sequence[JudgedRequest]) -> list[ImbalanceRow]:
    """Returns a row with the stated probabilities and, where they differ, one with the corrected ones."""
    stated = {False: result.uncorrected, True: result.probabilities}
    if np.array_equal(result.uncorrected, result.probabilities):
        del stated[True]
    cost = (result.cpu_s, result.peak_mb, result.rows, result.synthetic)
    rows = []
    for is_corrected, probabilities in stated.items():
        ends = np.cumsum([len(request.features) for request in judged])[:-1]
        parts = zip(judged, np.split(result.scores, ends), np.split(probabilities, ends), strict=True)
        scored = [
            ScoredRequest(
                name_viewer(request, row), request.compute_candidate_gains(), request.gains, scores, chances
            )
            for row, (request, scores, chances) in enumerate(parts)
        ]
        rows.append(ImbalanceRow(trial, is_corrected, measure_pooled(scored), *cost))
    return rows

"""The label lab: rankers that learned from each label, compared on one split by time.

All labels call the same plays relevant and differ in which of them come first. So one backtest serves all:
only the gains of its requests are graded again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reelrank.app.jobs.history import History
from reelrank.app.jobs.lab.window import ONE_THREAD
from reelrank.app.jobs.training import collect_judged_requests, replay_training_requests
from reelrank.index_mappings.event import Event
from reelrank.ranking.evaluation.judged_request import JudgedRequest, name_viewer
from reelrank.ranking.evaluation.pooled_measures import PooledMeasures, ScoredRequest, measure_pooled
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.labels.grades import Grader, Label, build_grader
from reelrank.ranking.labels.watch_time import collect_gains
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.calibration import Calibration
from reelrank.ranking.rankers.lambdarank import LambdaRank
from reelrank.ranking.training.dataset import TrainingSet, sample_candidates
from reelrank.ranking.training.lambdarank import train_ranker
from reelrank.ranking.viewers.histories import Histories

BASELINE = Label.WATCHED_SHARE
"""What others are compared with, and what the judged requests are measured by."""
EventsByUser = Mapping[str, Sequence[Event]]


@dataclass(frozen=True, slots=True, eq=False)
class LabelRow:
    """One label: how often training saw each grade above 0, and the measures of the ranker."""

    label: Label
    grades: Mapping[int, int]
    measures: PooledMeasures


@dataclass(frozen=True, slots=True, eq=False)
class LabelReport:
    """The table, and what it was measured on."""

    rows: tuple[LabelRow, ...]
    training_requests: int
    judged_requests: int
    viewers: int

    @property
    def baseline(self) -> LabelRow:
        return next(row for row in self.rows if row.label is BASELINE)


def compare_labels(
    history: History, requests: int, judged: int, progress: Progress = ignore_progress
) -> LabelReport:
    """Backtests a history once, and trains and measures a ranker for each label."""
    is_known = pc.and_(pc.equal(history.events["kind"], "watch"), _is_before(history))
    watches = history.events.filter(is_known)
    graders = {label: build_grader(label, watches) for label in Label}
    events = Histories(history.events.sort_by([("at_ms", "ascending"), ("id", "ascending")]))
    sets = build_labelled_sets(replay_training_requests(history, progress, requests), graders, events)
    return measure_labels(sets, collect_judged_requests(history, progress, judged), FEATURE_NAMES, progress)


def build_labelled_sets(
    requests: Iterable[JudgedRequest], graders: Mapping[Label, Grader], events: EventsByUser, seed: int = 0
) -> dict[Label, TrainingSet]:
    """Builds a training set for each label, of the same rows. events: of each viewer, sorted by time."""
    rng = np.random.default_rng(seed)
    features, weights, groups = list[NDArray[np.float32]](), list[NDArray[np.float32]](), list[int]()
    gains: dict[Label, list[NDArray[np.int32]]] = {label: [] for label in graders}
    for judged in requests:
        if not len(judged.candidates):
            continue
        rows, sampled = sample_candidates(judged.compute_candidate_gains(), rng)
        features.append(judged.features[rows])
        weights.append(sampled)
        groups.append(len(rows))
        for label, grader in graders.items():
            graded = regrade(judged, events.get(judged.request.viewer.user, ()), grader)
            gains[label].append(graded.compute_gains(judged.candidates.ids[rows]).astype(np.int32))
    columns = np.concatenate(features), np.array(groups, np.int32), np.concatenate(weights)
    return {
        label: TrainingSet(columns[0], np.concatenate(parts), columns[1], columns[2])
        for label, parts in gains.items()
    }


def regrade(judged: JudgedRequest, events: Sequence[Event], grader: Grader) -> JudgedRequest:
    """Returns the request with the gains of its relevant items by another label."""
    at_ms, wanted = judged.request.query.context.at_ms, set(judged.relevant.tolist())
    later = [e for e in events if e.at_ms >= at_ms and e.item.encode() in wanted]
    graded = collect_gains(later, set(), grader)
    gains = [graded.get(item.decode(), 0.0) for item in judged.relevant.tolist()]
    return replace(judged, gains=np.array(gains, np.float32))


def measure_labels(
    sets: Mapping[Label, TrainingSet],
    judged: Sequence[JudgedRequest],
    names: Sequence[str],
    progress: Progress = ignore_progress,
) -> LabelReport:
    """Trains a ranker on each set and measures it. Raises ValueError when no request has candidates."""
    rows = []
    for done, (label, training) in enumerate(sets.items()):
        trained = train_ranker(training, names, params=ONE_THREAD)
        ranker = LambdaRank(str(label), names, trained.model_text)
        ranker.calibration = trained.calibration
        grades = dict(enumerate(np.bincount(training.gains, minlength=4)[1:].tolist(), 1))
        rows.append(LabelRow(label, grades, _measure(ranker, judged)))
        progress(f"trained on {label}", done + 1, len(sets))
    viewers = len({name_viewer(request, row) for row, request in enumerate(judged)})
    return LabelReport(tuple(rows), len(next(iter(sets.values())).groups), len(judged), viewers)


def _measure(ranker: LambdaRank, judged: Sequence[JudgedRequest]) -> PooledMeasures:
    to_probabilities = (ranker.calibration or Calibration(slope=1.0, intercept=0.0)).to_probabilities
    scored = []
    for row, request in enumerate(judged):
        scores = ranker.score(request.features)
        gains = request.compute_candidate_gains()
        viewer = name_viewer(request, row)
        scored.append(ScoredRequest(viewer, gains, request.gains, scores, to_probabilities(scores)))
    return measure_pooled(scored)


def _is_before(history: History) -> pa.ChunkedArray:
    """Returns which events precede the requests that are learned from."""
    return pc.less(history.events["at_ms"], history.training_ms)

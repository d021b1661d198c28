"""What a model ranks that learned from exploration slots alone, beside the one that serves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reelrank.app.clock import to_ms
from reelrank.app.jobs.history import History
from reelrank.app.jobs.logged_pages import choose_windows, sample_logged_rows
from reelrank.app.wiring import build_lake_storage
from reelrank.index_mappings.match import ItemIds
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.labels.grades import Grader
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.dataset import TrainingSet
from reelrank.ranking.training.pointwise import MIN_USED, count_used, select_explored, train_on_explored

EXPLORED = "explored slots alone"


@dataclass(frozen=True, slots=True)
class ExploredRankings:
    """rankings: of each request, best first; None with too few slots. note: what was learned from."""

    rankings: list[ItemIds | None] | None
    note: str


def rank_as_explored(
    history: History, judged: Sequence[JudgedRequest], progress: Progress
) -> ExploredRankings:
    """Trains on the exploration slots before the third window, and ranks the candidates of each request."""
    rows = collect_explored(history, progress)
    used = count_used(rows)
    found = (
        f"{EXPLORED}: of {len(rows.gains):,} seen exploration slots before these requests {used:,} were used"
    )
    if used < MIN_USED:
        missing = f"{MIN_USED} are the least to train on, so {MIN_USED - used:,} are missing"
        return ExploredRankings(None, f"{found}; {missing}")
    model = train_on_explored(rows, FEATURE_NAMES)
    rankings: list[ItemIds | None] = [
        request.candidates.ids[np.argsort(-model.score(request.features), kind="stable")]
        for request in judged
    ]
    return ExploredRankings(rankings, found)


def collect_explored(history: History, progress: Progress) -> TrainingSet:
    """Collects the logged exploration slots of at most four weeks that precede the third window."""
    none = np.empty(0, np.int32)
    nothing = TrainingSet(np.empty((0, len(FEATURE_NAMES)), np.float32), none, none)
    container = history.container
    lake, settings = Lake(build_lake_storage(container.settings)), container.settings
    windows = choose_windows(lake, container.clock.now(), settings.gate_hours)
    if windows is None or to_ms(windows.begin) >= history.evaluation_ms:
        return nothing
    sample = sample_logged_rows(container, Grader(), (windows.begin, windows.end), progress)
    if sample.groups is None:
        return nothing
    return select_explored(sample.groups.select(sample.groups.at_ms < history.evaluation_ms).rows)

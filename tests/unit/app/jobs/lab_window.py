"""Made-up backtested requests with known worth of their features, for tests of the lab and the ablation."""

import numpy as np

from reelrank.app.jobs.lab.window import BacktestWindow
from reelrank.index_mappings.match import Matches, encode_item_ids
from reelrank.index_mappings.query import Query
from reelrank.ranking.evaluation.judged_request import JudgedRequest
from reelrank.ranking.retrieval.fusion import fuse
from reelrank.ranking.training.dataset import build_training_set
from reelrank.ranking.viewers.history import build_anonymous_viewer
from reelrank.ranking.viewers.request import RankingRequest

CANDIDATES = 20


def build_window(requests: int, names: tuple[str, ...], viewers: int = 1) -> BacktestWindow:
    """Builds requests of 20 candidates, of which the one with the largest first feature is relevant.

    The second feature is unknown, the third is 1, others are buckets at random.
    """
    rng, judged = np.random.default_rng(0), []
    for number in range(requests):
        columns = [rng.random(CANDIDATES), np.full(CANDIDATES, np.nan), np.ones(CANDIDATES)]
        columns += [rng.integers(0, 256, CANDIDATES).astype(np.float64) for _ in names[3:]]
        features = np.column_stack(columns).astype(np.float32)
        ids = encode_item_ids(f"film{n:02}" for n in range(CANDIDATES))
        candidates = fuse([Matches("popular", ids, np.arange(CANDIDATES, 0, -1).astype(np.float32))])
        user, zeros = f"u{number % viewers}", np.zeros(CANDIDATES, np.float32)
        judged.append(
            JudgedRequest(
                RankingRequest(Query(user=user), build_anonymous_viewer(user), {}),
                candidates,
                ids[[int(features[:, 0].argmax())]],
                np.ones(1, np.float32),
                "home",
                features,
                zeros,
                scores=zeros,
                order=np.arange(CANDIDATES),
            )
        )
    return BacktestWindow(build_training_set(judged), judged, names)

"""Ranking of the documents of a snapshot."""

import numpy as np

from reelrank.app.engines.embedded.snapshot import rank_doc_ids


def test_documents_rank_by_score_then_doc_id() -> None:
    rng = np.random.default_rng(0)
    for size in (0, 1, 7, 40, 400):
        places = rng.permutation(2_000_000)[:size]
        scores = rng.choice(np.array([-1.5, -0.25, 0.0, 0.0, 0.5, 0.5, 3e38, 1e-40], np.float32), size)
        scores = np.concatenate([scores[: size // 2], rng.normal(size=size - size // 2)]).astype(np.float32)
        expected = np.lexsort((places, -scores))[:30]
        assert rank_doc_ids(places, scores, 30).tolist() == expected.tolist()

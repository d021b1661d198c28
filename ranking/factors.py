"""Matrix factorisation by alternating least squares on watches (Hu, Koren & Volinsky 2008)."""

import numpy as np
from numpy.typing import NDArray

from index_mappings.fields import VECTOR_FIELDS
from ranking.folding import Folding
from ranking.watches import Watches

FACTORS = VECTOR_FIELDS["factors"].size - 1
REGULARIZATION = 20.0
"""A weak one overfits: in the demo's training window 20 finds 44 % of what is wanted, 0.05 found 41 %."""
ALPHA = 10.0
ITERATIONS = 15


def learn_factors(watches: Watches, seed: int = 0) -> tuple[NDArray[np.float32], Folding]:
    """Unit item vectors [items, FACTORS + 1] and what folding a viewer in needs.

    The last coordinate is sqrt(M^2 - |y|^2), M the longest factor vector: with it the order by
    cosine is the order by inner product (Bachrach et al. 2014).
    """
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    confidence = watches.by_user()
    confidence.data = 1.0 + ALPHA * confidence.data
    with threadpool_limits(1, "blas"):  # implicit warns, and is slow, where BLAS starts threads of its own
        model = AlternatingLeastSquares(
            factors=FACTORS,
            regularization=REGULARIZATION,
            iterations=ITERATIONS,
            random_state=seed,
            use_gpu=False,
            num_threads=1,
        )
        model.fit(confidence, show_progress=False)
    items = np.asarray(model.item_factors, np.float32)
    lengths = np.linalg.norm(items, axis=1)
    longest = float(lengths.max(initial=1e-6))
    more = np.sqrt(np.maximum(longest**2 - lengths**2, 0.0))
    vectors = (np.column_stack([items, more]) / longest).astype(np.float32)
    gram = (items.T @ items).astype(np.float32)
    return vectors, Folding(gram, REGULARIZATION, ALPHA, longest)

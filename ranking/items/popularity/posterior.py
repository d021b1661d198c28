"""What is believed of how often an item is used when it is shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CTR_PRIOR_CLICKS, CTR_PRIOR_IMPRESSIONS = 1.0, 20.0
"""The prior of an item that was never shown: one click in twenty impressions."""


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Beta(alpha, beta) posteriors [n] of engagements per impression, including the prior."""

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]

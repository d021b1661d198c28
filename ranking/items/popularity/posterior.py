"""What is believed of how often an item is used when it is shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CTR_PRIOR_CLICKS, CTR_PRIOR_IMPRESSIONS = 1.0, 20.0
"""The prior of an item that was never shown: one click in twenty impressions."""


GAIN_PRIOR_USES = 2.0
"""Expected uses at which half of what is believed of an item's gain is its own uses. Between 1.5 and 3, which
did best on made-up months other than those of docs/exploration.md; 6 did worse."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """Beta(alpha, beta) posteriors [n] of engagements per impression, including the prior."""

    alpha: Floats
    beta: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Gains:
    """Uses of n items, and the uses that were expected of their impressions.

    An item's gain is how much more often it is used than expected: Gamma distributed, with the shape
    GAIN_PRIOR_USES + used and the rate GAIN_PRIOR_USES + expected, so 1 on average before it was shown.
    """

    used: Floats
    expected: Floats

    def compute_posterior(self, rates: Floats, variances: Floats) -> Posterior:
        """Returns the posteriors [n] of uses an impression. rates [n]: of items of average gain there.

        variances [n]: of the log rates. The posterior has the mean of rate times gain and about its variance:
        those of logarithms add up.
        """
        shape = GAIN_PRIOR_USES + self.used
        mean = np.minimum(rates * shape / (GAIN_PRIOR_USES + self.expected), 0.9)
        alpha = 1 / (1 / shape + variances)
        return Posterior(alpha, alpha * (1 / mean - 1))

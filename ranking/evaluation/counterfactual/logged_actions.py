"""The one input of off-policy estimates: what was shown, with which probability, and its reward."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LoggedActions:
    """Decisions [n] of a logging policy, and what another policy, the target, would have done.

    viewers [n]: whose page, for intervals: decisions of one viewer are not independent. propensity [n]: the
    probability with which the logging policy showed what it showed. reward [n]. position [n]: on the page,
    from 0. target [n]: the probability with which the target shows the same. predicted [n]: the reward that a
    model expects of what was shown; expected [n]: of what the target would show, on average. Both NaN where
    no model says it.
    """

    viewers: NDArray[np.str_]
    propensity: Floats
    reward: Floats
    position: NDArray[np.int64]
    target: Floats
    predicted: Floats
    expected: Floats

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def weights(self) -> Floats:
        """Returns the importance weights [n]: how much more often the target shows what was shown."""
        return np.asarray(self.target / self.propensity)

    @property
    def has_model(self) -> bool:
        known = np.isfinite(self.predicted) & np.isfinite(self.expected)
        return len(self) > 0 and bool(known.all())

    def select(self, mask: NDArray[np.bool_]) -> "LoggedActions":
        return LoggedActions(*(getattr(self, field.name)[mask] for field in fields(self)))

"""Half-lives of popularity: the days after which a watch, an impression or a click counts half."""

import numpy as np

HALF_LIVES_DAYS = (1.0, 7.0, 30.0, 365.0, 3650.0)
"""Half-lives at which popularity is counted; each is a `share_` signal, and the `popular` source uses one."""
DEFAULT_HALF_LIFE_DAYS = 30
"""Half-life of the `popular` source before a training run chose one: between the best of two histories."""
COMPARED_DAYS = 365
"""Half-life of lists that are sorted by popularity, and of suggestions."""
CTR_HALF_LIFE = 2
"""Index into HALF_LIVES_DAYS: click-through is counted over about a month."""
BASELINE_HALF_LIVES_DAYS = (7.0, 30.0, 90.0, 365.0, 1095.0, 3650.0, float("inf"))
"""Half-lives that the popularity baseline of an evaluation tries; the last counts every watch alike."""


def find_half_life(days: float) -> int:
    """Returns the index of the half-life of HALF_LIVES_DAYS that is nearest on a logarithmic scale."""
    return int(np.abs(np.log(np.array(HALF_LIVES_DAYS) / days)).argmin())

"""Sample-ratio mismatch: whether the arms have as many viewers as the definition states."""

from collections.abc import Sequence
from dataclasses import dataclass

MISMATCH_P = 0.001
"""Below it, the assignment or the log is broken, and no effect can be believed (Fabijan et al. 2019)."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """counts: viewers of each arm. p_value: of the chi-square test against the stated shares."""

    counts: tuple[int, ...]
    p_value: float

    @property
    def is_mismatch(self) -> bool:
        return self.p_value < MISMATCH_P


def check_sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> SampleRatio:
    """Compares the viewers of each arm with the stated shares; without viewers nothing is wrong."""
    total = sum(counts)
    if not total:
        return SampleRatio(tuple(counts), 1.0)
    expected = [total * share for share in shares]
    from scipy.stats import chisquare  # takes a second to import, which only a report needs

    return SampleRatio(tuple(counts), float(chisquare(counts, expected).pvalue))

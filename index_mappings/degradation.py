"""A degradation: one part that is missing from an answer, by source, code and reason."""

from dataclasses import dataclass

from reelrank.index_mappings.errors import EngineError


@dataclass(frozen=True, slots=True)
class Degradation:
    """source: what is missing, such as a candidate source, `viewer`, `items` or `ranking`; few enough values
    to count by. code: stable, in snake case; code that decides anything reads it. detail: the reason."""

    source: str
    code: str
    detail: str = ""

    def __str__(self) -> str:
        """Returns the text that answers show."""
        return f"{self.source}: {self.detail}" if self.detail else self.source


def describe_failure(source: str, error: EngineError) -> Degradation:
    """Returns the degradation of an answer that goes without `source`."""
    return Degradation(source, error.code, str(error))

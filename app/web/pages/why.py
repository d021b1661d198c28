"""The explanation of a hit's position, as text and as a small chart."""

from collections.abc import Mapping
from dataclasses import dataclass

from reelrank.app.search.page import Explanation
from reelrank.ranking.features.compute import FEATURES_BY_NAME

SOURCE_DESCRIPTIONS = {
    "bm25": "its title, people or description contain the search text",
    "text_knn": "its text has a similar meaning",
    "factors": "viewers with similar taste watch it",
    "neighbours": "viewers who watched the same films watch it",
    "session": "it is often watched in the same session",
    "recent": "its subject is similar to recently watched films",
    "popular": "many viewers watch it now",
    "fresh": "it is new",
    "given": "it is one of the candidates of the request",
}
MAX_BARS = 10
HALF_WIDTH = 150.0
"""Maximum width of a bar to either side, in units of the chart."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One feature's contribution to the score. x and width are in units of the chart."""

    label: str
    feature: str
    value: float
    x: float
    width: float

    @property
    def is_positive(self) -> bool:
        return self.value >= 0


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """sources: (source, description, rank from 1). bars: the largest contributions, then the rest as one."""

    sources: tuple[tuple[str, str, int], ...]
    bars: tuple[Bar, ...]
    base: float
    score: float
    signals: Mapping[str, float]

    @property
    def summary(self) -> str:
        """Describes the chart in a sentence, also for screen readers."""
        up = [bar.label for bar in self.bars if bar.is_positive][:3]
        down = [bar.label for bar in self.bars if not bar.is_positive][:2]
        raised = f"Raised most by: {'; '.join(up)}." if up else ""
        lowered = f" Lowered most by: {'; '.join(down)}." if down else ""
        return raised + lowered


def build_explanation_view(explanation: Explanation) -> ExplanationView:
    """Builds the view. Its score is the present sum of contributions; the list may be some minutes old."""
    score = explanation.base + sum(explanation.contributions.values())
    ranks = sorted((rank, source) for source, (rank, _) in explanation.matches.items())
    sources = tuple((source, SOURCE_DESCRIPTIONS.get(source, source), rank + 1) for rank, source in ranks)
    return ExplanationView(
        sources, _build_bars(explanation.contributions), explanation.base, score, explanation.signals
    )


def _build_bars(contributions: Mapping[str, float]) -> tuple[Bar, ...]:
    ordered = sorted(contributions.items(), key=lambda pair: -abs(pair[1]))
    shown = [(name, value) for name, value in ordered[:MAX_BARS] if value]
    rest = sum(value for _, value in ordered[MAX_BARS:])
    if ordered[MAX_BARS:]:
        shown.append(("", rest))
    longest = max((abs(value) for _, value in shown), default=1.0) or 1.0
    return tuple(
        _build_bar(name, value, HALF_WIDTH * abs(value) / longest, len(ordered)) for name, value in shown
    )


def _build_bar(feature: str, value: float, width: float, feature_count: int) -> Bar:
    label = (
        FEATURES_BY_NAME[feature].description.rstrip(".")
        if feature in FEATURES_BY_NAME
        else f"The other {feature_count - MAX_BARS} features"
    )
    return Bar(label, feature, value, HALF_WIDTH - (0 if value >= 0 else width), max(width, 1.0))

"""The explanation of a hit's position: sentences for people, and a small chart of the features."""

import tomllib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reelrank.app.search.page import Explanation
from reelrank.ranking.features.compute import FEATURES_BY_NAME

SOURCE_SENTENCES = {
    "title": "Its title or one of its people is what you typed, or begins with it",
    "bm25": "It contains words that you typed",
    "text_knn": "It is close in meaning to what you look for",
    "factors": "People with your taste watch it",
    "neighbours": "People who watched what you watched also watched it",
    "session": "It is often watched together with what you watched last",
    "recent": "It is about the same things as films you watched",
    "popular": "Many people watch it now",
    "fresh": "It is one of the newest films",
    "given": "It was in the list to put in order",
}
"""What a candidate source says about what it found. tests/consistency/test_reasons.py fails without one."""
UNKNOWN_FACT = "What is not known, about you or about the film"
"""Said of features without a value: a model learns what to make of that."""
MAX_REASONS = 8
MIN_REASON_SHARE = 0.03
"""Reasons that moved the score by less, as a share of all movement, are not worth a line."""
DAYS_PER_YEAR = 365.25
MAX_BARS = 10
HALF_WIDTH = 150.0
"""Maximum width of a bar to either side, in units of the chart."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said of one feature; see reasons.toml. low is empty when `high` is said of every value."""

    high: str
    low: str = ""
    above: float = 0.0
    unit: str = ""

    def describe(self, value: float) -> str:
        """Returns the sentence about a value of the feature."""
        sentence = self.high if not self.low or value >= self.above else self.low
        return sentence.replace("{value}", _format_value(value, self.unit))


def _read_sentences() -> dict[str, Sentence]:
    tables = tomllib.loads(Path(__file__).with_name("reasons.toml").read_text("utf-8"))
    return {
        feature: Sentence(fields.pop("says", "") or fields.pop("high"), **fields)
        for feature, fields in tables.items()
    }


SENTENCES = _read_sentences()
"""Feature to what is said of it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence, and what the features that it stands for added to the score."""

    sentence: str
    value: float

    @property
    def is_positive(self) -> bool:
        return self.value >= 0


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
    """What the Why page shows of a hit.

    sources: (source, sentence, rank from 1). reasons: the largest first, for people. bars: the largest
    contributions, then the rest as one.
    """

    sources: tuple[tuple[str, str, int], ...]
    reasons: tuple[Reason, ...]
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
    sources = tuple((source, SOURCE_SENTENCES.get(source, source), rank + 1) for rank, source in ranks)
    return ExplanationView(
        sources,
        build_reasons(explanation.features, explanation.contributions),
        _build_bars(explanation.contributions),
        explanation.base,
        score,
        explanation.signals,
    )


def build_reasons(features: Mapping[str, float], contributions: Mapping[str, float]) -> tuple[Reason, ...]:
    """Adds up the contributions of each sentence; returns those that count most, the largest first."""
    added: dict[str, float] = defaultdict(float)
    for feature, contribution in contributions.items():
        known = feature in features and feature in SENTENCES
        sentence = SENTENCES[feature].describe(features[feature]) if known else UNKNOWN_FACT
        added[sentence] += contribution
    least = MIN_REASON_SHARE * sum(map(abs, added.values()))
    counted = [Reason(sentence, value) for sentence, value in added.items() if value and abs(value) >= least]
    return tuple(sorted(counted, key=lambda reason: -abs(reason.value))[:MAX_REASONS])


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


def _format_value(value: float, unit: str) -> str:
    if unit == "minutes":
        return f"{value / 60:.0f} minutes"
    if unit == "years":
        return f"{value / DAYS_PER_YEAR:.0f} years"
    return f"{value:.0f}"

"""Reasons for a hit's position, in sentences for people who know nothing of search."""

import tomllib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

SOURCE_RANK = "reciprocal_rank_"
"""How names of features begin that say nothing of a list whose source was not asked."""
MAX_REASONS = 8
MIN_REASON_SHARE = 0.03
"""Reasons that moved the score by less, as a share of all movement, are not worth a line."""
DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Topic:
    """What features of one line are about; see reasons.toml."""

    about: str
    source: str = ""
    listed: bool = True
    needs_viewer: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said of one feature; see reasons.toml. low is empty when `high` is said of every value."""

    topic: str
    high: str = ""
    low: str = ""
    above: float = 0.0
    unit: str = ""
    favours: Literal["high", "low", "either"] = "high"

    @property
    def is_neutral(self) -> bool:
        """Returns whether it may be said of what moved a film up and of what moved it down."""
        return not self.low or self.favours == "either"

    def describe(self, value: float, moved_up: bool) -> str:
        """Returns the sentence about a value; empty when that speaks against the direction."""
        is_high = not self.low or value >= self.above
        if not self.is_neutral and (is_high == (self.favours == "high")) != moved_up:
            return ""
        return (self.high if is_high else self.low).replace("{value}", _format_value(value, self.unit))


@dataclass(frozen=True, slots=True)
class HitContext:
    """A hit and its list.

    asked: the sources of the list. found: those that found the hit. seed: how sentences name the film that
    the list is similar to; empty for other lists. has_viewer: whether a viewer was selected.
    """

    asked: Collection[str]
    found: Collection[str] = ()
    seed: str = ""
    has_viewer: bool = True


def _read_sentences(tables: Mapping[str, dict[str, Any]]) -> dict[str, Sentence]:
    """Reads what is said of each feature; `says` is a `high` without a `low`."""
    return {
        feature: Sentence(**{"high" if name == "says" else name: value for name, value in fields.items()})
        for feature, fields in tables.items()
    }


_TABLES = tomllib.loads(Path(__file__).with_name("reasons.toml").read_text("utf-8"))
TOPICS = {name: Topic(**fields) for name, fields in _TABLES["topic"].items()}
"""What each line of reasons is about."""
SENTENCES = _read_sentences(_TABLES["feature"])
"""Feature to what is said of it."""
SENTENCES_OF_SIMILAR = _read_sentences(_TABLES["similar"])
"""The same for features that stand for the film of a page of similar films."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A sentence, and what the features that it stands for added to the score."""

    sentence: str
    value: float

    @property
    def is_positive(self) -> bool:
        return self.value >= 0


def build_reasons(
    features: Mapping[str, float], contributions: Mapping[str, float], context: HitContext
) -> tuple[Reason, ...]:
    """Adds up the contributions of each topic; returns those that count most, the largest first.

    What is not known of a film or viewer, and what is the same for every film of the list, is left out.
    """
    sentences = SENTENCES | (SENTENCES_OF_SIMILAR if context.seed else {})
    parts: dict[str, list[Part]] = defaultdict(list)
    for feature, contribution in contributions.items():
        if feature in features and feature in sentences and _is_listed(feature, sentences[feature], context):
            sentence = sentences[feature]
            parts[sentence.topic].append((contribution, sentence, features[feature]))
    found = [_describe_topic(TOPICS[topic], of_topic, context) for topic, of_topic in parts.items()]
    least = MIN_REASON_SHARE * sum(abs(reason.value) for reason in found)
    counted = [reason for reason in found if reason.value and abs(reason.value) >= least]
    return tuple(sorted(counted, key=lambda reason: -abs(reason.value))[:MAX_REASONS])


Part = tuple[float, Sentence, float]
"""The contribution of a feature, what is said of it, and its value."""


def _is_listed(feature: str, sentence: Sentence, context: HitContext) -> bool:
    topic = TOPICS[sentence.topic]
    if not topic.listed or (topic.needs_viewer and not context.has_viewer):
        return False
    return not feature.startswith(SOURCE_RANK) or feature.removeprefix(SOURCE_RANK) in context.asked


def _describe_topic(topic: Topic, parts: Sequence[Part], context: HitContext) -> Reason:
    """Says what counted most, unless it contradicts the direction of the sum or what found the hit."""
    total = sum(contribution for contribution, _, _ in parts)
    moved_up = total >= 0
    says_all = moved_up or topic.source not in context.found
    strongest = sorted(parts, key=lambda part: -part[0] if moved_up else part[0])
    said = (
        sentence.describe(value, moved_up)
        for contribution, sentence, value in strongest
        if (contribution >= 0) == moved_up and (says_all or sentence.is_neutral)
    )
    return Reason(next(filter(None, said), topic.about).replace("{seed}", context.seed), total)


def _format_value(value: float, unit: str) -> str:
    if unit == "minutes":
        return f"{value / 60:.0f} minutes"
    if unit == "years":
        return _format_years(int(value // DAYS_PER_YEAR))
    return f"{value:.0f}"


def _format_years(years: int) -> str:
    """Returns a time as people state an age: years that are over."""
    if years < 1:
        return "less than a year"
    return "a year" if years == 1 else f"{years} years"

"""The Why page: where a hit is, how it came up, its reasons, and a small chart of the features."""

from collections.abc import Mapping
from dataclasses import dataclass

from reelrank.app.search.page import Explanation, Page
from reelrank.app.web.pages.reasons import HitContext, Reason, build_reasons
from reelrank.ranking.features.compute import FEATURES_BY_NAME

SOURCE_SENTENCES = {
    "title": "Its title or one of its people is what you typed, or begins with it",
    "bm25": "It contains words that you typed",
    "text_knn": "It is close in meaning to what you typed",
    "factors": "People with your taste watch it",
    "neighbours": "People who watched what you watched also watched it",
    "session": "It is often watched together with what you watched last",
    "recent": "It is about the same things as films you watched",
    "popular": "Many people watch it now",
    "fresh": "It is one of the newest films",
    "given": "It was in the list to put in order",
}
"""What a candidate source says about what it found. tests/consistency/test_reasons.py fails without one."""
SIMILAR_SENTENCES = {
    "text_knn": "It is about the same things as {seed}",
    "factors": "The same people like it and {seed}",
    "neighbours": "People who watched {seed} also watched it",
    "session": "It is often watched together with {seed}",
}
"""The same on a page of similar films, where these sources start from the film of the page."""
ROW_PLACES = {
    "popular": (
        "is in “Popular now”",
        "That row is in the order of how many people watch a film now. In the whole list it is number {}.",
    ),
    "new": (
        "is in “New”",
        "That row has the newest films, in the order of the whole list. There it is number {}.",
    ),
    "genre": (
        "is in a row of a genre you watch",
        "That row has films of the genre you prefer, in the order of the whole list. There it is number {}.",
    ),
}
"""Row of a home page to where a film of it is, and how that row and its whole list are ordered."""
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
    """What the Why page shows of a hit.

    place: where it is, as the end of "Why it". note: about the row that it is in, or empty. sources: (source,
    sentence, rank from 1). reasons: the largest first, for people. bars: the largest contributions, then the
    rest as one.
    """

    place: str
    note: str
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


def build_explanation_view(
    page: Page, explanation: Explanation, row: str, context: HitContext
) -> ExplanationView:
    """Builds the view of the one hit of a page. row: of the home page that it was in, or empty.

    Its score is the present sum of contributions; the list may be some minutes old.
    """
    score = explanation.base + sum(explanation.contributions.values())
    ranks = sorted((rank, source) for source, (rank, _) in explanation.matches.items())
    sources = tuple((source, describe_source(source, context), rank + 1) for rank, source in ranks)
    place, note = describe_place(page.hits[0].position, row, context)
    return ExplanationView(
        place,
        note,
        sources,
        build_reasons(explanation.features, explanation.contributions, context),
        _build_bars(explanation.contributions),
        explanation.base,
        score,
        explanation.signals,
    )


def describe_place(position: int, row: str, context: HitContext) -> tuple[str, str]:
    """Returns where a hit is, as the end of "Why it", and a sentence about its row; empty without one.

    Rows take some films of a list, so a position in the list is no place in the row.
    """
    number = position + 1
    if context.seed:
        place = "is among" if row else f"is number {number} of"
        return f"{place} the films like {context.seed}", ""
    if row in ROW_PLACES:
        place, note = ROW_PLACES[row]
        return place, note.format(number)
    return f"is number {number}", ""


def describe_source(source: str, context: HitContext) -> str:
    """Returns what it means that a source found a film."""
    sentence = SOURCE_SENTENCES.get(source, source)
    if context.seed:
        sentence = SIMILAR_SENTENCES.get(source, sentence)
    return sentence.replace("{seed}", context.seed)


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

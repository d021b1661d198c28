"""The Why page has a sentence in plain words for every feature and every source."""

import re
from collections.abc import Mapping

import numpy as np
import pytest

from reelrank.app.web.pages.reasons import (
    SENTENCES,
    SENTENCES_OF_SIMILAR,
    TOPICS,
    HitContext,
    Sentence,
    build_reasons,
)
from reelrank.app.web.pages.why import ROW_PLACES, SIMILAR_SENTENCES, SOURCE_SENTENCES, describe_place
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES_BY_NAME
from reelrank.ranking.retrieval.source_names import FEATURE_SOURCES, SOURCES

TABLE = "app/web/pages/reasons.toml"
TECHNICAL = re.compile(
    r"\b(cosine|embedding|factor|bm25|knn|vector|rank|score|feature|signal|index|query|hash|item2vec|item)s?\b",
    re.IGNORECASE,
)
"""Words that a person who opened the page need not know."""
ALL_SENTENCES = [
    *SENTENCES.items(),
    *((f"similar {name}", said) for name, said in SENTENCES_OF_SIMILAR.items()),
]
HOME = HitContext(("factors", "neighbours", "session", "recent", "popular", "fresh"))
SEARCH = HitContext(("title", "bm25", "text_knn"))
SIMILAR = HitContext(("factors", "session", "text_knn", "neighbours"), seed="“Alien”")
REQUEST_SIGNALS = {
    "hour", "weekday", "week_of_year", "is_holiday", "is_search", "query_words", "watches",
    "mean_watched_share", "days_since_watch",
}  # fmt: skip
"""Signals that are the same for all candidates of a request."""


def list_texts() -> dict[str, str]:
    texts = {feature: " | ".join(filter(None, (said.high, said.low))) for feature, said in ALL_SENTENCES}
    topics = {f"topic {name}": topic.about for name, topic in TOPICS.items()}
    return (
        {name: text for name, text in texts.items() if text} | topics | SOURCE_SENTENCES | SIMILAR_SENTENCES
    )


def say(values: Mapping[str, tuple[float, float]], context: HitContext = HOME) -> list[tuple[str, float]]:
    """Returns (sentence, sum) of features that have (value, contribution)."""
    features = {name: value for name, (value, _) in values.items() if not np.isnan(value)}
    reasons = build_reasons(features, {name: added for name, (_, added) in values.items()}, context)
    return [(reason.sentence, round(reason.value, 6)) for reason in reasons]


@pytest.mark.parametrize("feature", FEATURE_NAMES)
def test_every_feature_has_a_sentence(feature: str) -> None:
    assert feature in SENTENCES, (
        f"add a table [feature.{feature}] with a topic and a sentence for people to {TABLE}"
    )


def test_every_sentence_belongs_to_a_feature() -> None:
    assert sorted({*SENTENCES, *SENTENCES_OF_SIMILAR} - set(FEATURES_BY_NAME)) == [], (
        f"remove these from {TABLE}"
    )


def test_every_topic_has_features_and_every_feature_a_topic() -> None:
    assert {said.topic for _, said in ALL_SENTENCES} == set(TOPICS)


def test_what_is_the_same_for_all_films_of_a_list_is_not_listed() -> None:
    unlisted = {name for name, said in SENTENCES.items() if not TOPICS[said.topic].listed}
    assert unlisted == {f.name for f in FEATURES_BY_NAME.values() if REQUEST_SIGNALS.issuperset(f.reads)}


def test_every_source_has_a_sentence() -> None:
    assert sorted({*SOURCES, "given"} - set(SOURCE_SENTENCES)) == []


@pytest.mark.parametrize(("name", "text"), list_texts().items())
def test_sentences_are_in_plain_words(name: str, text: str) -> None:
    assert TECHNICAL.findall(text) == [], f"{name} in {TABLE}"
    assert text[0].isupper()
    assert not text.endswith(".")
    assert all(len(part) <= 75 for part in text.split(" | "))


@pytest.mark.parametrize(("name", "said"), ALL_SENTENCES)
def test_no_sentence_speaks_against_the_direction(name: str, said: Sentence) -> None:
    """Of two sentences that are for and against a film, each direction has one, and either value has one."""
    if not said.low or said.favours == "either":
        return
    above, below = said.above + 1, said.above - 1
    assert bool(said.describe(above, moved_up=True)) != bool(said.describe(above, moved_up=False)), name
    assert bool(said.describe(above, moved_up=True)) == (said.favours == "high"), name
    assert bool(said.describe(below, moved_up=True)) == (said.favours == "low"), name


def test_features_of_one_topic_are_one_reason_with_their_sum() -> None:
    windows = ("1d", "7d", "30d", "365d", "3650d")
    shares = {f"log_share_{window}": (-8.0, 0.25) for window in windows}
    assert say(shares) == [("How many people watched it, lately and over the years", 1.25)]
    popular = shares | {"reciprocal_rank_popular": (0.01, 0.5)}
    assert say(popular) == [("Many people watch it now", 1.75)]


def test_a_line_about_a_title_does_not_contradict_itself() -> None:
    typed = {"title_words": (1.0, -0.1), "title_edits": (0.7, 0.4), "title_phrase": (1.0, 0.2)}
    assert say(typed, SEARCH) == [("The words you typed stand side by side in its title", 0.5)]
    assert say({**typed, "title_phrase": (0.0, 0.2)}, SEARCH) == [
        ("How its title compares with what you typed", 0.5)
    ]


def test_a_fact_that_speaks_against_a_film_is_not_what_moved_it_up() -> None:
    assert say({"cosine_factors": (0.1, 0.5)}) == [
        ("How it compares with what people with your taste watch", 0.5)
    ]
    assert say({"cosine_factors": (0.1, -0.5)}) == [
        ("It is not what people with your taste watch most", -0.5)
    ]


def test_what_is_not_known_is_left_out() -> None:
    assert say({"cosine_taste": (np.nan, -2.0), "year": (1980.0, 0.5)}) == [("It is from 1980", 0.5)]


@pytest.mark.parametrize("source", FEATURE_SOURCES)
def test_a_source_that_was_not_asked_says_nothing(source: str) -> None:
    values = {f"reciprocal_rank_{source}": (0.0, -1.0)}
    assert say(values, HitContext(())) == []
    assert len(say(values, HitContext((source,)))) == 1


def test_an_unknown_viewer_is_not_listed_what_was_shown_to_them() -> None:
    values = {"times_shown": (0.0, 0.3)}
    assert say(values) == [("It was never shown to you before", 0.3)]
    assert say(values, HitContext(HOME.asked, has_viewer=False)) == []


def test_a_page_of_similar_films_names_the_film_that_they_are_like() -> None:
    values = {
        "reciprocal_rank_text_knn": (0.01, 0.5),
        "cosine_factors": (0.6, 0.25),
        "last_text": (0.1, -0.1),
    }
    assert say(values, SIMILAR) == [
        ("It is about the same things as “Alien”", 0.4),
        ("The same people like it and “Alien”", 0.25),
    ]


def test_nothing_is_said_against_what_found_a_film() -> None:
    values = {"history_weight": (0.1, -0.5)}
    assert say(values) == [("It goes with little of what you have watched", -0.5)]
    found = HitContext(HOME.asked, ("neighbours",))
    assert say(values, found) == [("How well it goes with what you have watched", -0.5)]


def test_a_topic_says_what_a_known_source_says() -> None:
    assert {topic.source for topic in TOPICS.values()} <= {"", *SOURCES}


def test_a_film_of_a_row_has_no_number_of_the_row() -> None:
    assert describe_place(3, "", HOME) == ("is number 4", "")
    assert describe_place(3, "", SIMILAR) == ("is number 4 of the films like “Alien”", "")
    assert describe_place(3, "because", SIMILAR) == ("is among the films like “Alien”", "")
    for row, (place, _) in ROW_PLACES.items():
        said, note = describe_place(253, row, HOME)
        assert said == place
        assert note.endswith("it is number 254.")


@pytest.mark.parametrize(
    ("feature", "value", "sentence"),
    [
        ("duration_s", 7020.0, "It runs for 117 minutes"),
        ("year", 1979.0, "It is from 1979"),
        ("age_days", 17_133.0, "It is 46 years old"),  # 1980-01-01 on 2026-11-28
        ("age_days", 700.0, "It is a year old"),
        ("age_days", 90.0, "It is less than a year old"),
        ("age_days", -90.0, "It is less than a year old"),
    ],
)
def test_a_value_is_said_in_the_unit_of_people(feature: str, value: float, sentence: str) -> None:
    assert SENTENCES[feature].describe(value, moved_up=True) == sentence

"""The Why page has a sentence in plain words for every feature and every source."""

import re

import pytest

from reelrank.app.web.pages.why import SENTENCES, SOURCE_SENTENCES, UNKNOWN_FACT, build_reasons
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES_BY_NAME
from reelrank.ranking.retrieval.source_names import SOURCES

TABLE = "app/web/pages/reasons.toml"
TECHNICAL = re.compile(
    r"\b(cosine|embedding|factor|bm25|knn|vector|rank|score|feature|signal|index|query|hash|item2vec|item)s?\b",
    re.IGNORECASE,
)
"""Words that a person who opened the page need not know."""


def list_texts() -> dict[str, str]:
    texts = {feature: f"{said.high} | {said.low}" for feature, said in SENTENCES.items()}
    return texts | SOURCE_SENTENCES | {"unknown": UNKNOWN_FACT}


@pytest.mark.parametrize("feature", FEATURE_NAMES)
def test_every_feature_has_a_sentence(feature: str) -> None:
    assert feature in SENTENCES, f"add a table [{feature}] with a sentence for people to {TABLE}"


def test_every_sentence_belongs_to_a_feature() -> None:
    assert sorted(set(SENTENCES) - set(FEATURES_BY_NAME)) == [], f"remove these tables from {TABLE}"


def test_every_source_has_a_sentence() -> None:
    assert sorted({*SOURCES, "given"} - set(SOURCE_SENTENCES)) == []


@pytest.mark.parametrize(("name", "text"), list_texts().items())
def test_sentences_are_in_plain_words(name: str, text: str) -> None:
    assert TECHNICAL.findall(text) == [], f"{name} in {TABLE}"
    assert text[0].isupper()
    assert not text.endswith(".")
    assert all(len(part) <= 75 for part in text.split(" | "))


def test_features_of_one_sentence_are_one_reason_with_their_sum() -> None:
    features = {"cosine_factors": 0.9, "reciprocal_rank_factors": 0.5, "title_begins": 0.0, "weekday": 2.0}
    reasons = build_reasons(features, {**dict.fromkeys(features, 0.5), "title_begins": -0.75, "year": 0.25})
    assert [(reason.sentence, reason.value) for reason in reasons] == [
        ("People with your taste watch it", 1.0),
        ("Its title does not begin with what you typed", -0.75),
        ("The day of the week", 0.5),
        (UNKNOWN_FACT, 0.25),
    ]


def test_a_value_is_said_in_the_unit_of_people() -> None:
    assert SENTENCES["duration_s"].describe(7020.0) == "It runs for 117 minutes"
    assert SENTENCES["year"].describe(1979.0) == "It is from 1979"

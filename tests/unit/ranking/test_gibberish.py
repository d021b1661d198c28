"""Gibberish finds nothing; unknown words, other scripts and what an item matches are searched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.ranking.items.names.letter_model import LetterModel, build_letter_model

WORDS = (
    "adventure", "animal", "broken", "captain", "children", "christmas", "dangerous", "daughter", "evening",
    "forever", "friendship", "garden", "history", "island", "journey", "kingdom", "letters", "mountain",
    "nation", "operation", "paradise", "question", "revolution", "secret", "stranger", "tomorrow",
    "uncle", "village",
    "winter", "yesterday", "mission", "passion", "terminal", "criminal", "abandon", "domino",
)  # fmt: skip
MODEL = LetterModel(build_letter_model(WORDS))


@pytest.mark.parametrize("text", ["abdominal", "nationhood", "Winterland", "zzzzqqq mountains", "ABÁNDONED"])
def test_words_look_like_words_also_when_they_are_unknown(text: str) -> None:
    assert MODEL.rate(text) > max(MODEL.rate(random) for random in ("zzzzqqq", "xkcdvq", "qwzx jjkkll"))


def test_digits_are_no_words_and_of_other_scripts_nothing_is_known() -> None:
    assert MODEL.rate("98231") == -np.inf
    assert MODEL.rate("七人の侍") == MODEL.rate("") == MODEL.rate("!?") == 0.0


def test_the_probabilities_of_the_next_letter_add_up_to_one() -> None:
    assert np.exp2(MODEL.bits).sum(axis=2) == pytest.approx(np.ones((27, 27)), abs=1e-4)


def test_a_model_without_words_rates_all_letters_alike() -> None:
    empty = LetterModel(build_letter_model([]))
    assert empty.rate("mountain") == pytest.approx(empty.rate("zzzzqqqq"))


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_rated(text: str) -> None:
    assert MODEL.rate(text) <= 0.0

"""The short way to the words of ASCII text finds those of Unicode's text segmentation."""

import random

from reelrank.app.engines.embedded.text.analysis import TOKENIZER, separate_words

ALPHABET = "ab9_.:,;' \"-A1\t#"
"""Letters, digits and all that joins them: most texts of these have a rule of UAX #29 in them."""


def generate_texts(alphabet: str, count: int) -> list[str]:
    rng = random.Random(1)
    return ["".join(rng.choices(alphabet, k=rng.randint(1, 14))) for _ in range(count)]


def test_ascii_text_is_cut_where_unicode_cuts_it() -> None:
    for text in generate_texts(ALPHABET, 50_000) + generate_texts("".join(map(chr, range(128))), 20_000):
        assert separate_words(text).split() == TOKENIZER.analyze(text), text


def test_other_text_is_cut_by_the_pattern_itself() -> None:
    assert separate_words("Amélie's 東京 日本") == "Amélie's 東 京 日 本"

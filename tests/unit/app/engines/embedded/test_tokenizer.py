"""The shortcut for ASCII text yields the tokens of Unicode text segmentation."""

import random

from reelrank.app.engines.embedded.text.analysis import TOKENIZER, separate_words

ALPHABET = "ab9_.:,;' \"-A1\t#"
"""Letters, digits and characters that join them: most texts of these exercise a rule of UAX #29."""


def generate_texts(alphabet: str, count: int) -> list[str]:
    rng = random.Random(1)
    return ["".join(rng.choices(alphabet, k=rng.randint(1, 14))) for _ in range(count)]


def test_ascii_tokens_equal_unicode_tokens() -> None:
    for text in generate_texts(ALPHABET, 50_000) + generate_texts("".join(map(chr, range(128))), 20_000):
        assert separate_words(text).split() == TOKENIZER.analyze(text), text


def test_other_text_is_split_by_the_unicode_pattern() -> None:
    assert separate_words("Amélie's 東京 日本") == "Amélie's 東 京 日 本"

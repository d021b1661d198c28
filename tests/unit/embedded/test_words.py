"""The short way to the words of ASCII text finds those of Unicode's text segmentation."""

import random

from app.engines.embedded.words import TOKENIZER, separated

TELLING = "ab9_.:,;' \"-A1\t#"
"""Letters, digits and all that joins them: most texts of these have a rule of UAX #29 in them."""


def texts(alphabet: str, count: int) -> list[str]:
    rng = random.Random(1)
    return ["".join(rng.choices(alphabet, k=rng.randint(1, 14))) for _ in range(count)]


def test_ascii_text_is_cut_where_unicode_cuts_it() -> None:
    for text in texts(TELLING, 50_000) + texts("".join(map(chr, range(128))), 20_000):
        assert separated(text).split() == TOKENIZER.analyze(text), text


def test_other_text_is_cut_by_the_pattern_itself() -> None:
    assert separated("Amélie's 東京 日本") == "Amélie's 東 京 日 本"

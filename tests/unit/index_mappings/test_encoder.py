"""The text encoder sees folded text, and that of an earlier build the text as it was."""

import numpy as np
import pytest

from reelrank.index_mappings.encoder import WordLlamaEncoder, choose_encoder

OLD, NEW = "items-05eedc69-20261127T033635", "items-12345678-20261127T033635"


@pytest.mark.parametrize(
    "typed", ["AMELIE OF MONTMARTRE", "ame\u0301lie of Montmartre", "Am\u00e9lie\u200e of montmartre"]
)
def test_case_accents_and_invisible_marks_do_not_change_the_vector(typed: str) -> None:
    plain, other = WordLlamaEncoder().encode(["amelie of montmartre", typed])
    assert np.array_equal(plain, other)


def test_an_index_of_an_earlier_build_is_searched_with_its_encoder() -> None:
    encoder = WordLlamaEncoder()
    assert choose_encoder(encoder, NEW) is encoder
    earlier = choose_encoder(encoder, OLD)
    assert earlier.name != encoder.name
    lower, upper = earlier.encode(["the matrix", "THE MATRIX"])
    assert float(lower @ upper) < 0.9

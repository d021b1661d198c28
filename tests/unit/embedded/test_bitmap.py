"""Sets of places as bits."""

import numpy as np

from app.engines.embedded.bitmap import count, holds, members, packed, without


def test_bits_say_which_places_they_hold() -> None:
    bits = packed(np.array([True, False, True] + [False] * 8 + [True]))
    assert members(bits, 12).tolist() == [0, 2, 11]
    assert holds(bits, np.array([0, 1, 2, 11])).tolist() == [True, False, True, True]
    assert count(without(bits, np.array([2]))) == 2


def test_a_set_of_no_places_holds_none_also_not_for_a_word_that_is_ahead_of_it() -> None:
    assert holds(packed(np.zeros(0, bool)), np.array([-1, -1])).tolist() == [False, False]

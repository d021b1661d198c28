"""Sets of places as bits."""

import numpy as np

from reelrank.app.engines.embedded.filters.bitmap import clear_bits, contains, count_bits, pack, unpack


def test_bits_say_which_places_they_hold() -> None:
    bits = pack(np.array([True, False, True] + [False] * 8 + [True]))
    assert unpack(bits, 12).tolist() == [0, 2, 11]
    assert contains(bits, np.array([0, 1, 2, 11])).tolist() == [True, False, True, True]
    assert count_bits(clear_bits(bits, np.array([2]))) == 2


def test_a_set_of_no_places_holds_none_also_not_for_a_word_that_is_ahead_of_it() -> None:
    assert contains(pack(np.zeros(0, bool)), np.array([-1, -1])).tolist() == [False, False]

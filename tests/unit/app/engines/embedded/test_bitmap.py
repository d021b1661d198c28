"""Sets of doc ids as bits."""

import numpy as np

from reelrank.app.engines.embedded.filters.bitmap import clear_bits, contains, count_bits, pack, unpack


def test_a_bitmap_contains_the_packed_doc_ids() -> None:
    bits = pack(np.array([True, False, True] + [False] * 8 + [True]))
    assert unpack(bits, 12).tolist() == [0, 2, 11]
    assert contains(bits, np.array([0, 1, 2, 11])).tolist() == [True, False, True, True]
    assert count_bits(clear_bits(bits, np.array([2]))) == 2


def test_an_empty_bitmap_contains_no_doc_id() -> None:
    assert contains(pack(np.zeros(0, bool)), np.array([-1, -1])).tolist() == [False, False]

"""Matches: ids as columns."""

import numpy as np

from reelrank.index_mappings.match import ID_DTYPE, deduplicate_ids


def test_distinct_ids_are_sorted_by_bytes() -> None:
    rng = np.random.default_rng(0)
    for longest in (1, 8, 9, 20, 64):
        letters = [bytes(rng.integers(0x21, 0x7F, rng.integers(1, longest + 1)).tolist()) for _ in range(300)]
        ids = np.array([letters[n] for n in rng.integers(0, 300, 500)], ID_DTYPE)
        expected, inverse = np.unique(ids, return_inverse=True)
        found, places = deduplicate_ids(ids)
        assert found.tolist() == expected.tolist()
        assert places.tolist() == inverse.tolist()


def test_no_ids_are_distinct() -> None:
    found, places = deduplicate_ids(np.empty(0, ID_DTYPE))
    assert len(found) == len(places) == 0

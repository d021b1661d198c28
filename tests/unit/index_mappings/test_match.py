"""Matches: ids as columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reelrank.index_mappings.match import ID_DTYPE, deduplicate_ids, encode_item_ids


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


@given(st.lists(st.text(st.characters(max_codepoint=127, exclude_characters="\0"), max_size=5)))
def test_ids_are_encoded_as_they_are(ids: list[str]) -> None:
    assert encode_item_ids(iter(ids)).tolist() == [item_id.encode() for item_id in ids]

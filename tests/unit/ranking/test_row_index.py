"""The row index gives the same rows as a search of the strings, even if hashes collide."""

import numpy as np
import pytest

from reelrank.index_mappings.match import ItemIds, encode_item_ids
from reelrank.ranking.items import row_index
from reelrank.ranking.items.row_index import RowIndex, hash_ids


def generate_ids(n: int) -> ItemIds:
    """Generates sorted distinct ids of 1 to 64 characters."""
    rng = np.random.default_rng(9)
    letters = np.array(list("ab01_"))
    return encode_item_ids(sorted({"".join(rng.choice(letters, rng.integers(1, 65))) for _ in range(n)}))


def search_rows(known_ids: ItemIds, ids: ItemIds) -> list[int]:
    rows = {item_id: row for row, item_id in enumerate(known_ids.tolist())}
    return [rows.get(item_id, -1) for item_id in ids.tolist()]


@pytest.mark.parametrize("all_collide", [False, True])
def test_known_ids_have_their_row_and_others_none(all_collide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if all_collide:
        monkeypatch.setattr(row_index, "hash_ids", lambda ids: np.zeros(len(ids), np.uint64))
    ids = generate_ids(3000)
    known, requested = ids[::2], np.random.default_rng(1).permutation(ids)
    assert RowIndex(known).find_rows(requested).tolist() == search_rows(known, requested)


def test_the_hash_of_an_id_does_not_depend_on_other_ids() -> None:
    short, long = encode_item_ids(["tt1"]), encode_item_ids(["tt1", "x" * 64])
    assert hash_ids(short)[0] == hash_ids(long)[0]


def test_the_hash_depends_on_the_order_of_bytes() -> None:
    one, other = hash_ids(encode_item_ids(["a" * 8 + "b" * 8, "b" * 8 + "a" * 8]))
    assert one != other


def test_an_empty_index_and_an_empty_request() -> None:
    assert RowIndex(encode_item_ids([])).find_rows(encode_item_ids(["a"])).tolist() == [-1]
    assert RowIndex(encode_item_ids(["a"])).find_rows(encode_item_ids([])).tolist() == []

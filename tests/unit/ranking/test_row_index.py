"""Rows by id: what searching the sorted strings would give, also when two ids have one hash."""

import numpy as np
import pytest

from reelrank.index_mappings.match import ItemIds, item_ids
from reelrank.ranking.items import row_index
from reelrank.ranking.items.row_index import RowIndex, hash_ids


def generate_ids(n: int) -> ItemIds:
    """Of 1 to 64 characters, sorted, each once."""
    rng = np.random.default_rng(9)
    letters = np.array(list("ab01_"))
    return item_ids(sorted({"".join(rng.choice(letters, rng.integers(1, 65))) for _ in range(n)}))


def search_rows(known_ids: ItemIds, ids: ItemIds) -> list[int]:
    place = {name: row for row, name in enumerate(known_ids.tolist())}
    return [place.get(name, -1) for name in ids.tolist()]


@pytest.mark.parametrize("all_collide", [False, True])
def test_every_id_has_its_row_and_others_have_none(
    all_collide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if all_collide:
        monkeypatch.setattr(row_index, "hash_ids", lambda ids: np.zeros(len(ids), np.uint64))
    every = generate_ids(3000)
    held, asked = every[::2], np.random.default_rng(1).permutation(every)
    assert RowIndex(held).find_rows(asked).tolist() == search_rows(held, asked)


def test_a_short_id_has_the_same_hash_alone_and_among_long_ones() -> None:
    short, long = item_ids(["tt1"]), item_ids(["tt1", "x" * 64])
    assert hash_ids(short)[0] == hash_ids(long)[0]


def test_the_same_letters_elsewhere_are_another_hash() -> None:
    one, other = hash_ids(item_ids(["a" * 8 + "b" * 8, "b" * 8 + "a" * 8]))
    assert one != other


def test_nothing_held_and_nothing_asked() -> None:
    assert RowIndex(item_ids([])).find_rows(item_ids(["a"])).tolist() == [-1]
    assert RowIndex(item_ids(["a"])).find_rows(item_ids([])).tolist() == []

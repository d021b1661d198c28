"""The favourite genre of a viewer: what they prefer beyond what the catalogue is made of."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.viewers.favourite_genre import find_favourite_genre
from reelrank.ranking.viewers.taste import Preferences

DRAMA, THRILLER, HORROR = np.uint64(1), np.uint64(2), np.uint64(4)


def build_table(*bits: np.uint64) -> ItemTable:
    class Table(SimpleNamespace):
        def __len__(self) -> int:
            return len(self.genre_bits)

    return cast(
        ItemTable, Table(genres=("Drama", "Thriller", "Horror"), genre_bits=np.array(bits, np.uint64))
    )


# 50 dramas, 30 dramatic thrillers, 10 thrillers, 6 horror thrillers, 4 horror films
CATALOGUE = build_table(
    *[DRAMA] * 50, *[DRAMA | THRILLER] * 30, *[THRILLER] * 10, *[THRILLER | HORROR] * 6, *[HORROR] * 4
)


def prefer(*rows: int, weights: tuple[float, ...] = ()) -> Preferences:
    return Preferences(np.array(rows), np.array(weights or [1.0] * len(rows), np.float32))


@pytest.mark.parametrize(
    ("preferred", "genre"),
    [
        (prefer(), ""),
        (prefer(90, 91, 92, 93, 94), "Horror"),  # all are thrillers, too
        (prefer(50, 51, 52), "Thriller"),  # all are dramas, too
        (prefer(0, 1, 2), "Drama"),
        (prefer(96, 0, 1, 2), "Horror"),  # a quarter of them, where one in ten is usual
        (prefer(96, 85, 86, weights=(0.01, 1.0, 1.0)), "Thriller"),
    ],
)
def test_the_genre_above_its_share_of_the_catalogue_is_the_favourite(
    preferred: Preferences, genre: str
) -> None:
    assert find_favourite_genre(preferred, CATALOGUE) == genre


def test_a_viewer_who_prefers_what_the_catalogue_is_has_no_favourite() -> None:
    same = build_table(*[DRAMA] * 10)
    assert find_favourite_genre(prefer(0, 1), same) == ""


def test_items_without_genres_give_no_favourite() -> None:
    assert find_favourite_genre(prefer(0), build_table(np.uint64(0), DRAMA)) == ""

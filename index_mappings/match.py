"""Matches: the answer of an engine as columns, best first."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import MAX_ID_LENGTH

ItemIds = NDArray[np.bytes_]
ID_DTYPE = np.dtype(f"S{MAX_ID_LENGTH}")
ID_SEPARATOR = "\n"


def encode_item_ids(ids: Iterable[str]) -> ItemIds:
    """Returns item ids as a numpy array of byte strings (ID_DTYPE). Ids are ASCII; see `Item`.

    All ids are encoded as one text, which takes half the time of encoding each.
    """
    given = list(ids)
    encoded = ID_SEPARATOR.join(given).encode("ascii").split(ID_SEPARATOR.encode())
    if len(encoded) != len(given):  # no id, or one with a line break
        encoded = [item_id.encode("ascii") for item_id in given]
    return np.array(encoded, dtype=ID_DTYPE)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """One source's answer: ids [n] of ID_DTYPE without repeats, scores [n] float32, best first.

    The rank of a match is its position, from 0. Equal scores are in the order of their ids.
    has_all_words [n]: of a text source that was asked for it, whether the item has every word.
    Those that have come first.
    """

    source: str
    ids: ItemIds
    scores: NDArray[np.float32]
    has_all_words: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.ids)


def separate_bonus(matches: Matches, bonus: float) -> Matches:
    """Returns the matches with the bonus taken off the scores that have it, and whether they had it."""
    has_bonus = matches.scores >= bonus
    scores = np.where(has_bonus, matches.scores - np.float32(bonus), matches.scores)
    return Matches(matches.source, matches.ids, scores.astype(np.float32), has_bonus)


def select_best_matches(source: str, ids: ItemIds, scores: NDArray[np.float32], limit: int) -> Matches:
    """Returns the `limit` best matches of unordered ids and scores; ties are in the order of ids."""
    order = np.lexsort((ids, -scores))[:limit]
    return Matches(source, ids[order].astype(ID_DTYPE, copy=False), scores[order].astype(np.float32))


def deduplicate_ids(ids: ItemIds) -> tuple[ItemIds, NDArray[np.intp]]:
    """Returns what np.unique returns with its inverse: the sorted ids, and the index of each id in them.

    It sorts integers of eight bytes each, which have the order of the bytes and sort faster.
    """
    words = np.ascontiguousarray(ids, ID_DTYPE).view(">u8").reshape(len(ids), ID_DTYPE.itemsize // 8)
    keys = [column.astype(np.uint64) for column in words.T if column.any()]
    order = np.lexsort(keys[::-1]) if keys else np.arange(len(ids))
    is_new = np.zeros(len(ids), bool)
    is_new[:1] = True
    for key in keys:
        is_new[1:] |= key[order[1:]] != key[order[:-1]]
    inverse = np.empty(len(ids), np.intp)
    inverse[order] = np.cumsum(is_new) - 1
    return ids[order[is_new]], inverse


def build_empty_matches(source: str) -> Matches:
    return Matches(source, np.empty(0, ID_DTYPE), np.empty(0, np.float32))

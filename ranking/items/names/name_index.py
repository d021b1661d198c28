"""The name index: titles and names of people, found by the beginning of any of their words.

Names are kept in their compact form (`title_keys`), so case, accents, punctuation and spaces do not count.
Every word of a name has an entry; entries are sorted by the text from that word to the end of the name.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.text import fold_text
from reelrank.ranking.distinct import sort_distinct
from reelrank.ranking.items.names.sorted_texts import HEAD_BYTES
from reelrank.ranking.items.names.title_keys import compact_title, list_edits, split_words

SORTED_BYTES = 4 * HEAD_BYTES
"""First bytes of an entry that decide its place. Later ones of a longer beginning are compared one by one."""
MIN_MISSPELT = 4
"""Letters from which a misspelling is looked for; a shorter beginning has too many neighbours."""
MAX_MISSPELT_ENTRIES = 20_000
"""Entries that are one edit away from a beginning: bounds the cost of a short one in a large catalogue."""
END = 0
"""The byte after each name; no compact name has it."""

Entries = NDArray[np.intp]
NO_ENTRIES: Entries = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class NameIndex:
    """Columns over E entries. text: compact names in UTF-8, END after each.

    starts [E]: where the text of an entry begins; heads [E]: its first bytes, most significant first;
    owners [E]: the number of its name.
    """

    text: NDArray[np.uint8]
    starts: NDArray[np.uint32]
    heads: NDArray[np.uint64]
    owners: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.starts)

    def find(self, beginning: str) -> Entries:
        """Returns the entries that begin with a compact text, in their order; none for an empty one."""
        key = beginning.encode("utf-8", "surrogatepass")
        if not key or END in key:
            return NO_ENTRIES
        first, last = self._find_ranges([key[:SORTED_BYTES]])
        entries = np.arange(first[0], last[0])
        if len(key) <= SORTED_BYTES:
            return entries
        return entries[np.flatnonzero(self._read(entries, len(key)) == key)]

    def find_misspelt(self, beginning: str) -> Entries:
        """Returns the entries that begin with a text one edit away that keeps the first letter.

        Of very many, those of the rarest beginnings: at most MAX_MISSPELT_ENTRIES.
        """
        if not MIN_MISSPELT <= len(beginning) < SORTED_BYTES:
            return NO_ENTRIES
        by_length = defaultdict[int, list[bytes]](list)
        for edit in list_edits(beginning):
            key = edit.encode("utf-8", "surrogatepass")[:SORTED_BYTES]
            by_length[len(key)].append(key)
        ranges = [self._find_ranges(keys) for keys in by_length.values()]
        first, last = (np.concatenate(bounds) for bounds in zip(*ranges, strict=True))
        found, remaining = [NO_ENTRIES], MAX_MISSPELT_ENTRIES
        is_found = last > first  # most of some thousand edits begin no name
        first, last = first[is_found], last[is_found]
        for number in np.argsort(last - first, kind="stable").tolist():
            found.append(np.arange(first[number], min(last[number], first[number] + remaining)))
            remaining -= len(found[-1])
        return sort_distinct(np.concatenate(found))

    def begin_names(self, entries: Entries) -> NDArray[np.bool_]:
        """Returns whether each entry [n] is the first word of its name."""
        starts = self.starts[entries].astype(np.intp)
        return np.asarray((starts == 0) | (self.text[starts - 1] == END))

    def are_whole(self, entries: Entries, text: str) -> NDArray[np.bool_]:
        """Returns whether the text of each entry [n], to the end of its name, is this one."""
        key = np.frombuffer(text.encode("utf-8", "surrogatepass") + bytes([END]), np.uint8)
        positions = self.starts[entries].astype(np.intp)[:, None] + np.arange(len(key))
        is_inside = positions[:, -1] < len(self.text)
        letters = self.text[np.minimum(positions, len(self.text) - 1)]
        return np.asarray(is_inside & (letters == key).all(axis=1))

    def _find_ranges(self, keys: Sequence[bytes]) -> tuple[Entries, Entries]:
        """Returns where the entries that begin with each key [n] start and end; all keys have one length.

        The heads narrow the search, then all keys are bisected at once.
        """
        letters = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1)[:, :HEAD_BYTES]
        low = np.searchsorted(self.heads, _pack_heads(letters, 0), "left")
        high = np.searchsorted(self.heads, _pack_heads(letters, 255), "right")
        if len(keys[0]) <= HEAD_BYTES:
            return low, high
        wanted = np.array(keys)
        return self._bisect(wanted, low, high, np.less), self._bisect(wanted, low, high, np.less_equal)

    def _bisect(
        self, wanted: NDArray[np.bytes_], low: Entries, high: Entries, is_before: np.ufunc
    ) -> Entries:
        """Returns the first entry [n] in each range whose beginning is not before the wanted text."""
        low, high = low.copy(), high.copy()
        while len(unfinished := np.flatnonzero(low < high)):
            middle = (low[unfinished] + high[unfinished]) // 2
            is_after_middle = is_before(self._read(middle, wanted.itemsize), wanted[unfinished])
            low[unfinished] = np.where(is_after_middle, middle + 1, low[unfinished])
            high[unfinished] = np.where(is_after_middle, high[unfinished], middle)
        return low

    def _read(self, entries: Entries, length: int) -> NDArray[np.bytes_]:
        """Returns the first bytes of each entry [n], as many as `length`."""
        positions = self.starts[entries].astype(np.intp)[:, None] + np.arange(length)
        texts = self.text[np.minimum(positions, len(self.text) - 1)]
        return np.asarray(texts.view(f"S{length}").ravel(), np.bytes_)


def _pack_heads(letters: NDArray[np.uint8], padding: int) -> NDArray[np.uint64]:
    """Returns the letters [n, at most HEAD_BYTES] of each text as an integer, padded with one byte."""
    heads = np.full((len(letters), HEAD_BYTES), padding, np.uint8)
    heads[:, : letters.shape[1]] = letters
    return heads.view(">u8").ravel().astype(np.uint64)


def build_names(names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Returns the columns of a NameIndex over names; their numbers are their positions."""
    text_bytes, starts, owners = bytearray(), array("I"), array("i")
    for number, name in enumerate(names):
        words = split_words(fold_text(name)) or [compact_title(name).replace(chr(END), "")]
        encoded = [word.encode("utf-8", "surrogatepass") for word in words]
        offsets = [0, *accumulate(map(len, encoded))]
        starts.extend(len(text_bytes) + offset for offset in offsets[:-1])
        owners.extend([number] * len(encoded))
        text_bytes += b"".join(encoded) + bytes([END])
    text, entry_starts = np.frombuffer(text_bytes, np.uint8), np.frombuffer(starts, np.uint32)
    order, heads = _sort_entries(text, entry_starts)
    return {
        "text": text,
        "starts": entry_starts[order],
        "heads": heads,
        "owners": np.frombuffer(owners, np.int32)[order],
    }


def _sort_entries(
    text: NDArray[np.uint8], starts: NDArray[np.uint32]
) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """Returns the order of entries by their first SORTED_BYTES, and the heads in that order."""
    padded = np.concatenate([text, np.zeros(SORTED_BYTES, np.uint8)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, HEAD_BYTES)
    keys = [
        windows[starts + block].view(">u8").ravel().astype(np.uint64)
        for block in range(0, SORTED_BYTES, HEAD_BYTES)
    ]
    order = np.lexsort(keys[::-1])
    return order, keys[0][order]

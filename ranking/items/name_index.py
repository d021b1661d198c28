"""The name index: titles and names of people, found by the beginning of any of their words.

Names are kept in their compact form (`title_keys`), so case, accents, punctuation and spaces do not count.
Every word of a name has an entry; entries are sorted by the text from that word to the end of the name.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.text import fold_text
from reelrank.ranking.items.title_keys import compact_title, list_edits, split_words

HEAD_BYTES = 8
"""First bytes of an entry, kept as one integer, in which all beginnings of a misspelling are searched at
once."""
SORTED_BYTES = 4 * HEAD_BYTES
"""First bytes of an entry that decide its place. Later ones of a longer beginning are compared one by one."""
MIN_MISSPELT = 4
"""Letters from which a misspelling is looked for; a shorter beginning has too many neighbours."""
MAX_TAIL_ENTRIES = 5_000
"""Entries with the same first bytes that are compared with the rest of a misspelling. More of them means
that the beginning is common, and names that begin with it as typed fill the list."""
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
        first, last = self._find_heads([key])
        low, high = int(first[0]), int(last[0])
        if len(key) > HEAD_BYTES:
            low, high = self._narrow(key[:SORTED_BYTES], low, high)
        entries = np.arange(low, high)
        if len(key) <= SORTED_BYTES:
            return entries
        return entries[[text == key for text in self._read(entries, len(key))]]

    def find_misspelt(self, beginning: str) -> Entries:
        """Returns the entries that begin with a text one edit away that keeps the first letter."""
        if not MIN_MISSPELT <= len(beginning) <= SORTED_BYTES:
            return NO_ENTRIES
        edits = {edit.encode("utf-8", "surrogatepass") for edit in list_edits(beginning)}
        heads = list({edit[:HEAD_BYTES] for edit in edits})
        first, last = self._find_heads(heads)
        found = [
            self._find_tails(edits, np.arange(first[number], last[number]), heads[number] in edits)
            for number in np.flatnonzero(first < last).tolist()
        ]
        return np.unique(np.concatenate([NO_ENTRIES, *found]))

    def begin_names(self, entries: Entries) -> NDArray[np.bool_]:
        """Returns whether each entry [n] is the first word of its name."""
        starts = self.starts[entries].astype(np.intp)
        return np.asarray((starts == 0) | (self.text[starts - 1] == END))

    def get_text(self, entry: int) -> bytes:
        """Returns the text of an entry, to the end of its name."""
        start = int(self.starts[entry])
        length = HEAD_BYTES
        while not (ends := np.flatnonzero(self.text[start : start + length] == END)).size:
            length *= 2
        return bytes(self.text[start : start + int(ends[0])])

    def _find_heads(self, keys: Sequence[bytes]) -> tuple[Entries, Entries]:
        """Returns the first and last entry [n] whose head agrees with each key as far as both go."""
        low = [key[:HEAD_BYTES].ljust(HEAD_BYTES, b"\x00") for key in keys]
        high = [key[:HEAD_BYTES].ljust(HEAD_BYTES, b"\xff") for key in keys]
        return (
            np.searchsorted(self.heads, _to_integers(low), "left"),
            np.searchsorted(self.heads, _to_integers(high), "right"),
        )

    def _find_tails(self, edits: Collection[bytes], entries: Entries, is_whole: bool) -> Entries:
        """Returns the entries that begin with one of the edits. is_whole: the head that they share is one."""
        if is_whole:
            return entries
        entries, lengths = entries[:MAX_TAIL_ENTRIES], sorted({len(edit) for edit in edits})
        texts = self._read(entries, lengths[-1])
        return entries[[any(text[:length] in edits for length in lengths) for text in texts]]

    def _narrow(self, key: bytes, low: int, high: int) -> tuple[int, int]:
        def read(entry: int) -> bytes:
            start = int(self.starts[entry])
            return bytes(self.text[start : start + len(key)])

        entries = range(low, high)
        return low + bisect_left(entries, key, key=read), low + bisect_right(entries, key, key=read)

    def _read(self, entries: Entries, length: int) -> list[bytes]:
        """Returns the first bytes of each entry [n], as many as `length`."""
        places = self.starts[entries].astype(np.intp)[:, None] + np.arange(length)
        texts = self.text[np.minimum(places, len(self.text) - 1)].tobytes()
        return [texts[at : at + length] for at in range(0, len(texts), length)]


def build_names(names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Returns the columns of a NameIndex over names; their numbers are their positions."""
    texts, starts, owners, at = list[bytes](), list[int](), list[int](), 0
    for number, name in enumerate(names):
        words = split_words(fold_text(name)) or [compact_title(name).replace(chr(END), "")]
        pieces = [word.encode("utf-8", "surrogatepass") for word in words]
        offsets = [0, *accumulate(map(len, pieces))]
        starts += [at + offset for offset in offsets[:-1]]
        owners += [number] * len(pieces)
        texts.append(b"".join(pieces) + bytes([END]))
        at += offsets[-1] + 1
    text = np.frombuffer(b"".join(texts), np.uint8)
    order, heads = _sort_entries(text, np.array(starts, np.uint32))
    return {
        "text": text,
        "starts": np.array(starts, np.uint32)[order],
        "heads": heads,
        "owners": np.array(owners, np.int32)[order],
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


def _to_integers(heads: Sequence[bytes]) -> NDArray[np.uint64]:
    return np.frombuffer(b"".join(heads), ">u8").astype(np.uint64)

"""Columns of what people type: titles, people, their words, and suggestions.

They depend on texts alone, and take most of the time in which a table is built. A table of the same texts
with other vectors and neighbours takes them from the one before.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import Item
from reelrank.ranking.items.names.suggestion_builder import SuggestionBuilder
from reelrank.ranking.items.names.title_index_builder import TitleIndexBuilder

PREFIXES = ("title_", "suggest_", "words_")
SPOOL = "names.raw"
DIGEST_BYTES = 16
Columns = dict[str, NDArray[Any]]


class NameColumns:
    """Takes items in any order; gives the columns in the order of rows.

    Texts are spooled to a file in `scratch` until it is known whether an earlier table was made of them.
    """

    def __init__(self, scratch: Path) -> None:
        self._spool = scratch / SPOOL
        self._file = self._spool.open("wb")
        self._digest = blake2b(digest_size=DIGEST_BYTES)

    def add(self, items: Iterable[Item]) -> None:
        """Appends the texts of a batch."""
        for item in items:
            texts = (item.id, item.title, item.description, item.people, item.genres, item.tags)
            line = json.dumps(texts).encode() + b"\n"
            self._digest.update(line)
            self._file.write(line)

    def build(self, order: NDArray[np.intp], earlier: Columns | None) -> Columns:
        """Returns the columns, which are the earlier ones where they are given, and deletes the spool.

        order: the position, as added, of the item of each row.
        """
        self._file.close()
        columns = self._build_anew(order) if earlier is None else earlier
        self._spool.unlink()
        return columns

    def compute_digest(self) -> str:
        """Returns hexadecimal digits of all texts in the order in which they were added."""
        return self._digest.hexdigest()

    def _build_anew(self, order: NDArray[np.intp]) -> Columns:
        titles, suggestions = TitleIndexBuilder(), SuggestionBuilder()
        with self._spool.open("rb") as lines:
            for line in lines:
                item = _parse(line)
                titles.add([item])
                suggestions.add([item])
        parts = (titles.build(order), suggestions.build(order), titles.build_words(order))
        return {
            f"{prefix}{name}": column
            for prefix, columns in zip(PREFIXES, parts, strict=True)
            for name, column in columns.items()
        }


def _parse(line: bytes) -> Item:
    item_id, title, description, people, genres, tags = json.loads(line)
    return Item(
        item_id, title, description=description, people=tuple(people), genres=tuple(genres), tags=tuple(tags)
    )

"""Builder of the columns of a suggestion index. It is part of the builder of an item table."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import Item
from reelrank.index_mappings.text import fold_text
from reelrank.ranking.items.names.letter_model import LetterModel, build_letter_model
from reelrank.ranking.items.names.name_index import NameIndex, build_names
from reelrank.ranking.items.names.suggestion_index import SuggestionIndex
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_keys import compact_title, split_words


class SuggestionBuilder:
    """Takes items in any order; gives the columns of a SuggestionIndex in the order of rows.

    It needs about 300 MB for a million items while it sorts.
    """

    def __init__(self) -> None:
        self._titles: list[str] = []
        self._people: dict[str, tuple[str, int]] = {}
        self._compact: dict[str, str] = {}

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            self._titles.append(item.title)
            for name in dict.fromkeys(item.people):
                key = self._compact.setdefault(name, compact_title(name))
                shown, count = self._people.get(key, (name, 0))
                self._people[key] = (shown, count + 1)

    def build(self, order: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Returns the columns. order: the position, as added, of the item of each row."""
        titles = build_names(self._titles[position] for position in order.tolist())
        people = build_names(name for name, _ in self._people.values())
        shown = [name.encode("utf-8", "surrogatepass") for name, _ in self._people.values()]
        return {
            **{f"titles_{name}": column for name, column in titles.items()},
            **{f"people_{name}": column for name, column in people.items()},
            "names": np.frombuffer(b"".join(shown), np.uint8),
            "offsets": np.cumsum([0, *map(len, shown)], dtype=np.int64),
            "items": np.array([count for _, count in self._people.values()], np.int32),
            "letters": build_letter_model(self._collect_words()),
        }

    def _collect_words(self) -> Iterable[str]:
        """Returns the distinct words of titles and names."""
        names = dict.fromkeys((*self._titles, *self._compact))
        return dict.fromkeys(word for name in names for word in split_words(fold_text(name)))


def assemble_suggestions(columns: dict[str, NDArray[Any]], titles: TitleIndex) -> SuggestionIndex:
    """Assembles the index from the columns that a SuggestionBuilder built."""

    def select(prefix: str) -> NameIndex:
        return NameIndex(*(columns[f"{prefix}_{name}"] for name in NameIndex.__slots__))

    return SuggestionIndex(
        select("titles"),
        select("people"),
        columns["names"],
        columns["offsets"],
        columns["items"],
        LetterModel(columns["letters"]),
        titles,
    )

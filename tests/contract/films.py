"""Films of the contract suite, and requests for them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from reelrank.index_mappings.engine import SearchEngine, TextMatch
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.match import Matches
from reelrank.index_mappings.query import Filters

SOON = 5.0


def build_unit_vector(index: int, size: int = 64) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    vector = np.zeros(size, np.float32)
    vector[index] = 1
    return vector


def build_year_date(number: int) -> datetime:
    return datetime(number, 6, 1, tzinfo=UTC)


FILMS = [
    Document(
        Item("alien", "Alien", "A crew meets a stranger", genres=("Horror", "Sci-Fi"),
             languages=("English", "Español"), people=("Sigourney Weaver",), countries=("UK", "USA"),
             published_at=build_year_date(1979), duration_s=7020),
        {"factors": build_unit_vector(0)},
        (Neighbour("blade", 1.0), Neighbour("amelie", 0.25)),
    ),
    Document(
        Item("amelie", "Amélie", genres=("Romance",), languages=("French",), countries=("France",),
             published_at=build_year_date(2001), duration_s=7320),
        {"factors": build_unit_vector(1)},
        (Neighbour("alien", 0.5),),
    ),
    Document(
        Item("blade", "Blade Runner", "Androids running", genres=("Sci-Fi",), languages=("English",),
             countries=("USA",), published_at=build_year_date(1982), duration_s=7020),
        {"factors": (build_unit_vector(0) + build_unit_vector(1)) / np.sqrt(np.float32(2))},
        (Neighbour("alien", 1.0),),
    ),
    Document(Item("bare", "Stranger things run")),
]  # fmt: skip


def list_ids(matches: Matches) -> list[str]:
    return [i.decode() for i in matches.ids.tolist()]


def load(engine: SearchEngine, version: str, documents: Sequence[Document]) -> None:
    engine.create_index(version)
    assert engine.write(version, documents).written == len(documents)
    engine.promote(version)


def search(engine: SearchEngine, text: str, filters: Filters | None = None) -> list[str]:
    return list_ids(engine.match_text(TextMatch("bm25", text, 10, filters or Filters()), SOON))

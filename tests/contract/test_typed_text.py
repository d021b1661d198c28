"""Every engine finds a title in each way in which people type it."""

from collections.abc import Iterator

import pytest

from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.item import Document, Item
from tests.contract.engines import open_engine
from tests.contract.films import SOON, load, search
from tests.servers.server import Server

TITLES = {
    "lantern": "Lantern\u200e",
    "lighthouse": "Light\u00adhouse\u200f",
    "compass": "\u2067Compass\u2069",
    "avventura": "L'Avventura del Molo",
    "argent": "L\u2019Argent du Port",
    "walle": "WALL\u00b7E",
    "swat": "S.W.A.T.",
    "mash": "M*A*S*H",
    "spider": "Spider-Man",
    "cafe": "Cafe\u0301 Amandine",
    "they": "They",
    "if": "If....",
    "no": "No",
    "will": "Will",
    "dots": "...",
    "thing": "The Thing",
    "bare": "Thing",
    "greek": "\u0386\u03bb\u03c6\u03b1",
    "wide": "\uff34\uff4f\uff4b\uff59\uff4f \uff13",
}
NOISE = [Document(Item(f"x{n}", f"Story {n}", "They will find no boat if it is late.")) for n in range(20)]


@pytest.fixture(scope="module")
def titles(server: Server | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    """An engine that serves TITLES among NOISE; no test changes it."""
    with open_engine(server, tmp_path_factory.mktemp("titles")) as engine:
        load(engine, "items-1", [*NOISE, *(Document(Item(name, title)) for name, title in TITLES.items())])
        yield engine


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        *(("lantern", "lantern"), ("LIGHTHOUSE", "lighthouse"), ("compass", "compass")),
        *(("avventura", "avventura"), ("l'avventura", "avventura"), ("lavventura", "avventura")),
        *(("argent", "argent"), ("l argent", "argent"), ("L\u2019ARGENT", "argent")),
        *(("wall-e", "walle"), ("wall e", "walle"), ("walle", "walle"), ("WALL.E", "walle")),
        *(("swat", "swat"), ("s.w.a.t", "swat"), ("S W A T", "swat")),
        *(("mash", "mash"), ("m*a*s*h", "mash"), ("M.A.S.H.", "mash")),
        *(("spiderman", "spider"), ("spider man", "spider"), ("Spider-man", "spider")),
        *(("cafe", "cafe"), ("cafe\u0301", "cafe"), ("CAF\u00c9", "cafe"), ("ca\u00adfe", "cafe")),
        *(("they", "they"), ("if....", "if"), ("If", "if"), ("No", "no"), ("will", "will"), ("...", "dots")),
        *(("the thing", "thing"), ("thing", "bare")),
        *(("\u03b1\u03bb\u03c6\u03b1", "greek"), ("tokyo 3", "wide")),
    ],
)
def test_a_title_is_first_however_it_is_typed(titles: SearchEngine, typed: str, first: str) -> None:
    assert search(titles, typed)[:1] == [first]


def test_the_text_of_an_item_is_returned_as_it_was_written(titles: SearchEngine) -> None:
    found = titles.fetch(list(TITLES), SOON)
    assert [item.title for item in found if item] == list(TITLES.values())
    (document,) = (d for batch in titles.scan("items-1") for d in batch if d.item.id == "cafe")
    assert document.item.title == TITLES["cafe"]

"""Films and index versions for the tests of live changes on servers."""

from dataclasses import replace

import numpy as np

from reelrank.app.engines.server.engine import ServerEngine
from reelrank.index_mappings.item import Document, Item, Neighbour

LEARNED = (Neighbour("b", 1.0),)


def build_film(item_id: str, title: str = "Film") -> Document:
    return Document(Item(item_id, title), {"factors": np.eye(64, dtype=np.float32)[0]})


def load(engine: ServerEngine, version: str, item_ids: list[str]) -> None:
    engine.create_index(version)
    engine.write(version, [build_film(name) for name in item_ids])


def create_two_versions(engine: ServerEngine) -> None:
    """Creates two versions: the first serves, the second has learned neighbours."""
    load(engine, "items-1", ["a"])
    engine.promote("items-1")
    engine.create_index("items-2")
    engine.write("items-2", [replace(build_film("a"), neighbours=LEARNED)])

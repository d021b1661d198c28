"""Every acknowledged change is in every version when it serves, whatever was promoted in between."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document, FloatVector, Item, Neighbour

SOON = 5.0
ITEMS = [f"i{number}" for number in range(6)]
STEPS, SERVER_STEPS = 60, 30
"""Steps of one walk; a server takes up to a second to make a change visible."""


def film(name: str, title: str) -> Document:
    return Document(Item(name, title))


def titles(engine: SearchEngine, version: str) -> dict[str, str]:
    return {d.item.id: d.item.title for batch in engine.scan(version) for d in batch}


def load(engine: SearchEngine, version: str, **films: str) -> None:
    engine.create_index(version)
    engine.write(version, [film(name, title) for name, title in films.items()])


@dataclass
class ModelVersion:
    """applied: how many live changes the version has, or does not need because it was created later."""

    applied: int
    titles: dict[str, str] = field(default_factory=dict)
    has_served: bool = False


class Walk:
    """Applies the same steps to an engine and to dicts. changes: every live change in order."""

    def __init__(self, engine: SearchEngine, seed: int) -> None:
        self.engine = engine
        self.random = random.Random(seed)
        self.changes: list[tuple[str, str | None]] = []
        self.versions: dict[str, ModelVersion] = {}
        self.serving = ""
        self.count = 0

    def step(self) -> None:
        steps: list[Callable[[], None]] = [self.create, self.write, self.drop]
        steps += 3 * [self.promote, self.upsert] + 2 * [self.delete]
        self.random.choice(steps)()
        self.check()

    def create(self) -> None:
        name = f"items-{len(self.versions)}-{self._next()}"
        self.engine.create_index(name)
        self.versions[name] = ModelVersion(len(self.changes))
        self._write(name)

    def write(self) -> None:
        building = [name for name, version in self.versions.items() if not version.has_served]
        if building:
            self._write(self.random.choice(building))

    def upsert(self) -> None:
        if self.serving:
            batch = {name: f"Live {self._next()}" for name in self._some()}
            self.engine.upsert([film(*pair) for pair in batch.items()])
            self._change(batch)

    def delete(self) -> None:
        if self.serving:
            names = self._some()
            there = self.versions[self.serving].titles.keys() & set(names)
            assert self.engine.delete(names) == len(there)
            self._change(dict.fromkeys(names))

    def promote(self) -> None:
        if self.versions:
            self.promote_to(self.random.choice(list(self.versions)))

    def promote_to(self, name: str) -> None:
        self.engine.promote(name)
        version = self.versions[name]
        _apply(version.titles, self.changes[version.applied :])
        version.applied = len(self.changes)
        self.serving, version.has_served = name, True

    def drop(self) -> None:
        others = [name for name in self.versions if name != self.serving]
        if others:
            name = self.random.choice(others)
            self.engine.drop(name)
            del self.versions[name]

    def check(self) -> None:
        if self.serving:
            expected = self.versions[self.serving].titles
            assert titles(self.engine, self.serving) == expected
            found = self.engine.fetch(ITEMS, SOON)
            assert {item.id: item.title for item in found if item is not None} == expected

    def _next(self) -> int:
        self.count += 1
        return self.count

    def _some(self) -> list[str]:
        return self.random.sample(ITEMS, self.random.randint(1, 3))

    def _write(self, name: str) -> None:
        batch = {item: f"Loaded {self._next()}" for item in self._some()}
        self.engine.write(name, [film(*pair) for pair in batch.items()])
        self.versions[name].titles.update(batch)

    def _change(self, changed: dict[str, str] | dict[str, None]) -> None:
        self.changes += changed.items()
        version = self.versions[self.serving]
        _apply(version.titles, list(changed.items()))
        version.applied = len(self.changes)


def _apply(version: dict[str, str], changes: list[tuple[str, str | None]]) -> None:
    for name, title in changes:
        if title is None:
            version.pop(name, None)
        else:
            version[name] = title


@pytest.mark.parametrize("seed", range(4))
def test_random_changes_and_promotions_agree_with_a_model(engine: SearchEngine, seed: int) -> None:
    walk = Walk(engine, seed)
    for _ in range(STEPS if engine.name == "embedded" else SERVER_STEPS):
        walk.step()
    for name in list(walk.versions):
        walk.promote_to(name)
        walk.check()


def test_promoting_the_serving_version_changes_nothing(engine: SearchEngine) -> None:
    load(engine, "items-1", a="A", b="B")
    engine.promote("items-1")
    load(engine, "items-2", a="A", b="B")
    engine.promote("items-2")
    engine.upsert([film("live", "Live")])
    engine.delete(["b"])
    engine.promote("items-2")
    assert titles(engine, "items-2") == {"a": "A", "live": "Live"}
    engine.promote("items-1")
    assert titles(engine, "items-1") == {"a": "A", "live": "Live"}


def test_a_change_survives_promotion_of_a_version_created_after_it(engine: SearchEngine) -> None:
    load(engine, "items-1", a="A", b="B")
    load(engine, "items-2", a="A", b="B")
    engine.promote("items-1")
    engine.upsert([film("live", "Live"), film("a", "Changed")])
    engine.delete(["b"])
    load(engine, "items-3", a="Newly loaded", b="Newly loaded")
    engine.promote("items-3")
    engine.drop("items-1")
    assert titles(engine, "items-3") == {"a": "Newly loaded", "b": "Newly loaded"}
    engine.promote("items-2")
    assert titles(engine, "items-2") == {"a": "Changed", "live": "Live"}


def test_a_delete_of_an_item_the_serving_version_lacks_is_logged(engine: SearchEngine) -> None:
    load(engine, "items-1", a="A", b="B")
    engine.promote("items-1")
    load(engine, "items-2", a="A")
    engine.promote("items-2")
    assert engine.delete(["b"]) == 0
    engine.promote("items-1")
    assert titles(engine, "items-1") == {"a": "A"}


def unit_vector(index: int, field: str) -> FloatVector:
    vector = np.zeros(VECTOR_FIELDS[field].size, np.float32)
    vector[index] = 1
    return vector


def vectors_of(engine: SearchEngine, version: str, item_id: str) -> dict[str, int]:
    """Returns the position of the one in each unit vector."""
    documents = {d.item.id: d for batch in engine.scan(version) for d in batch}
    return {field: int(np.argmax(vector)) for field, vector in documents[item_id].vectors.items()}


def load_with_vectors(engine: SearchEngine, version: str, **positions: int) -> None:
    vectors = {field: unit_vector(position, field) for field, position in positions.items()}
    engine.create_index(version)
    engine.write(version, [Document(Item("a", "Loaded"), vectors, (Neighbour("b", 1.0),))])


def test_a_logged_change_without_vectors_keeps_those_of_a_version(engine: SearchEngine) -> None:
    load_with_vectors(engine, "items-1", text=1, factors=2)
    engine.promote("items-1")
    load(engine, "items-2", a="Loaded without vectors")
    engine.promote("items-2")
    engine.upsert([film("a", "Live")])
    assert vectors_of(engine, "items-2", "a") == {}
    engine.promote("items-1")
    assert titles(engine, "items-1") == {"a": "Live"}
    assert vectors_of(engine, "items-1", "a") == {"text": 1, "factors": 2}


def test_a_logged_text_vector_replaces_that_of_a_version(
    engine: SearchEngine,
) -> None:
    load_with_vectors(engine, "items-1", text=1, factors=2)
    load_with_vectors(engine, "items-2", text=3, factors=4)
    engine.promote("items-2")
    engine.upsert([Document(Item("a", "Live"), {"text": unit_vector(5, "text")})])
    engine.promote("items-1")
    assert vectors_of(engine, "items-1", "a") == {"text": 5, "factors": 2}


def test_a_logged_change_keeps_vectors_of_the_change_it_replaces(engine: SearchEngine) -> None:
    load(engine, "items-1", a="Loaded")
    load(engine, "items-2", a="Loaded")
    engine.promote("items-1")
    engine.upsert([Document(Item("a", "Live"), {"text": unit_vector(5, "text")})])
    load(engine, "items-3", a="Loaded after that change")
    engine.promote("items-3")
    engine.upsert([film("a", "Live again")])
    assert vectors_of(engine, "items-3", "a") == {}
    engine.promote("items-2")
    assert titles(engine, "items-2") == {"a": "Live again"}
    assert vectors_of(engine, "items-2", "a") == {"text": 5}

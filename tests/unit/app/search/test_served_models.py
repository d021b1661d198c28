"""The models of a worker: the promoted one, others by name, and what is refused."""

from pathlib import Path

import pytest

from reelrank.app.state import model_cache as served_models
from reelrank.app.state.model_cache import ServedModels
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.rankers.manifest import ModelRejected
from reelrank.ranking.registry.models import Registry


class NamedRanker(FusedOrder):
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    for name in "abcdef":
        (tmp_path / name).mkdir()
    return Registry(tmp_path)


def test_a_model_is_loaded_once_and_the_least_used_is_let_go(registry: Registry) -> None:
    loads: list[str] = []

    def load(directory: Path) -> Ranker:
        loads.append(directory.name)
        return NamedRanker(directory.name)

    models = ServedModels(registry, load)
    for name in "abcdaea":
        assert models.get(name).name == name
    assert loads == ["a", "b", "c", "d", "e"]
    models.get("b")
    assert loads[-1] == "b"


def test_a_model_that_is_not_there_is_not_found(registry: Registry) -> None:
    models = ServedModels(registry, lambda directory: NamedRanker(directory.name))
    with pytest.raises(NotFound, match="/v1/models"):
        models.get("nobody")
    assert models.get("engine-order").name == "engine-order"


def test_a_refused_model_is_tried_again_once_it_was_mended(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    mended = False

    def load(directory: Path) -> Ranker:
        if not mended:
            raise ModelRejected(directory.name, "its file is damaged", "register it again")
        return NamedRanker(directory.name)

    models = ServedModels(registry, load)
    registry.promote("a", lambda directory: directory)
    ranker, degraded = models.current()
    assert ranker.name == "engine-order"
    assert "its file is damaged" in degraded[0].detail
    mended = True
    assert models.current()[1] == degraded
    monkeypatch.setattr(served_models, "RETRY_S", 0.0)
    assert models.current()[0].name == "a"

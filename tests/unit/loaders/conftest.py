"""An empty lake, and an event store beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.loaders.lake.storage import LakeStorage


@pytest.fixture
def storage(tmp_path: Path) -> LakeStorage:
    return LakeStorage(str(tmp_path / "lake"))


@pytest.fixture
def events(tmp_path: Path) -> Iterator[EmbeddedEvents]:
    store = EmbeddedEvents(tmp_path / "engine")
    yield store
    store.database.close()

"""The engines that must fulfil the contract; another one joins by another factory here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engines.embedded.engine import EmbeddedEngine
from app.engines.embedded.events import EmbeddedEvents
from index_mappings.engine import EventStore, SearchEngine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SearchEngine]:
    embedded = EmbeddedEngine(tmp_path)
    yield embedded
    embedded.close()


@pytest.fixture
def events(tmp_path: Path) -> EventStore:
    return EmbeddedEvents(tmp_path)

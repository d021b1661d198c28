"""One real service for all journeys."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from app.wiring import Parts
from tests.served import Served, serve
from tests.small_house import add_model, build_house


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """With two models, of which `first` serves."""
    parts = build_house(tmp_path_factory.mktemp("house") / "data", datetime.now(UTC))
    for seed, name in enumerate(("first", "second")):
        add_model(parts, name, seed)
    parts.registry.promote("first", lambda directory: directory)
    return parts


@pytest.fixture(scope="session")
def service(parts: Parts) -> Iterator[Served]:
    served = serve(parts.settings.data_dir, log_share=1.0)
    yield served
    served.stop()

"""Deadlines of requests whose response trickles in: no single read times out."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.engine import SearchEngine, TextMatch
from reelrank.index_mappings.errors import Timeout
from tests.servers.gateway import Gateway, run_gateway
from tests.servers.proxy import Proxy

TIMEOUT_S = 0.3
MAX_DURATION_S = 2.0
"""A whole answer takes more than 4 s to arrive at one byte per 20 ms."""


@pytest.fixture(params=["elasticsearch", "opensearch"])
def slow_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchEngine]:
    """An engine behind a proxy that sends its answers byte by byte."""
    with run_gateway(Gateway()) as gateway:
        proxy = Proxy(gateway.port)
        proxy.mode = "trickle"
        settings = {"engine": request.param, "engine_url": proxy.url, "data_dir": tmp_path}
        engine = build_container(Settings.model_validate(settings)).engine
        yield engine
        engine.close()
        proxy.stop()


def test_a_response_that_trickles_in_ends_at_its_deadline(slow_engine: SearchEngine) -> None:
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(Timeout):
            slow_engine.match_text(TextMatch("bm25", "alien", 10), TIMEOUT_S)
        assert time.monotonic() - started < MAX_DURATION_S

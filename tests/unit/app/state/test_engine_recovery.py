"""A worker is ready again when searches of an engine that came back are answered in time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.app.search.service import SearchService
from reelrank.app.search.trial.warm_up import warm_up
from reelrank.app.state.engine_watch import MAX_TRIES, EngineRecovery
from reelrank.app.web.api.health import check_lists_ready
from reelrank.app.wiring import build_service
from reelrank.index_mappings.engine import Matcher
from reelrank.index_mappings.errors import Unavailable
from tests.raised import raises_code
from tests.sample_project import build_project
from tests.slow_engine import SlowMatcher


class RestartedEngine(EmbeddedEngine):
    """An engine that can be away, and whose searches can be late."""

    is_away = is_cold = False

    def is_ready(self) -> bool:
        return not self.is_away and super().is_ready()

    def at_version(self, version: str) -> Matcher:
        return SlowMatcher() if self.is_cold else super().at_version(version)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SearchService]:
    parts = build_project(tmp_path, datetime.now(UTC))
    engine = RestartedEngine(parts.settings.engine_dir, parts.clock)
    service = replace(build_service(replace(parts, engine=engine)), deadline_s=0.25)
    warm_up(service)
    yield service
    engine.close()


def test_a_worker_waits_for_the_first_searches_of_a_restarted_engine(service: SearchService) -> None:
    refresher, engine = service.refresher, service.engine
    assert isinstance(engine, RestartedEngine)
    assert check_lists_ready(service)["index_version"]
    engine.is_away = True
    refresher.refresh_and_try(partial(warm_up, service))
    engine.is_away, engine.is_cold = False, True
    refresher.refresh_and_try(partial(warm_up, service))
    with raises_code(Unavailable, "engine_unreachable", match="first searches"):
        check_lists_ready(service)
    engine.is_cold = False
    while not refresher.recovery.is_over:  # on a busy machine a search may be late once more
        refresher.refresh_and_try(partial(warm_up, service))
    assert check_lists_ready(service)["index_version"]


def test_an_engine_that_stays_slow_is_used_after_some_tries() -> None:
    recovery, tries = EngineRecovery(), list[bool]()

    def try_searches() -> bool:
        tries.append(True)
        return False

    recovery.follow(False, try_searches)
    assert (recovery.is_over, tries) == (True, [])
    recovery.follow(True, try_searches)
    assert (recovery.is_over, tries) == (False, [])
    while not recovery.is_over:
        recovery.follow(False, try_searches)
    assert len(tries) == MAX_TRIES

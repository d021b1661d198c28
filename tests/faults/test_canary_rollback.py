"""A canary on a running service under load: its verdict reaches all workers, and no request fails."""

import time
from pathlib import Path

import pytest

from reelrank.app.loop.candidates import stage
from reelrank.app.release.staging import discard_release, read_staged, start_trial
from reelrank.app.wiring import build_release_manager
from reelrank.ranking.embeddings.learn_embeddings import NO_EMBEDDINGS
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.registry.releases import Canary
from tests.running_service import Clients, ServiceProcess, start_service
from tests.sample_project import add_model, build_project
from tests.unit.app.loop.made_up_work import NOW

pytestmark = pytest.mark.slow
MODEL, RELEASE, ROLLBACK_S = "tried", "release-on-trial", 10.0
VIEWERS = 40


class HomePages(Clients):
    """Requests home pages of viewers; keeps when each was requested, by whom it was ranked, and failures."""

    def __init__(self, service: ServiceProcess, count: int) -> None:
        super().__init__(service, count)
        self.pages: list[tuple[float, str]] = []
        self.failed: list[int] = []

    def send_request(self, number: int) -> None:
        began = time.monotonic()
        viewer = f"u{len(self.pages) % VIEWERS}"
        answer = self.service.get(f"/v1/recommendations?user={viewer}&limit=5")
        if answer.status == 200:
            self.pages.append((began, answer.json["model"]))
        else:
            self.failed.append(answer.status)

    def wait_for(self, model: str, timeout_s: float) -> None:
        """Waits until a page was ranked by a model."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until and model not in {ranked for _, ranked in self.pages[-200:]}:
            time.sleep(0.05)


def test_a_canary_that_is_taken_back_ranks_no_page_ten_seconds_later(tmp_path: Path) -> None:
    container = build_project(tmp_path / "data", NOW)
    stage(RELEASE, container, NO_EMBEDDINGS, ignore_progress, add_model(container, MODEL, 1))
    manager = build_release_manager(container)
    served = start_service(container.settings.data_dir, workers=2)
    try:
        with HomePages(served, 3) as clients:
            canary = Canary(release=read_staged(manager, RELEASE), share=0.5, salt="trial", since=NOW)
            start_trial(manager, canary, None)
            clients.wait_for(MODEL, 60)
            time.sleep(1.0)
            discard_release(manager, RELEASE)  # the verdict: away with it, its index version, too
            taken_back = time.monotonic()
            time.sleep(ROLLBACK_S + 2)
    finally:
        served.stop()
    assert clients.failed == []
    tried = [began - taken_back for began, model in clients.pages if model == MODEL]
    assert tried
    assert max(tried) < ROLLBACK_S
    assert any(began > taken_back + ROLLBACK_S for began, _ in clients.pages)

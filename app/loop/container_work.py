"""The work of the loop on a data directory: the lake, training, releases and the pages that were served."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from reelrank.app.jobs.lake import export_lake
from reelrank.app.jobs.served.evaluation import renew_days
from reelrank.app.jobs.served.sources import renew_sources
from reelrank.app.loop.candidates import build_candidate
from reelrank.app.loop.drift_reports import is_retraining_due, renew_drift
from reelrank.app.loop.judging import judge_release
from reelrank.app.loop.reading.logged_requests import count_answered
from reelrank.app.loop.trying import has_traffic, observe_canary, observe_shadow
from reelrank.app.loop.watching import compare_pages
from reelrank.app.loop.work import Built, Input, Labelled, Observation
from reelrank.app.release.staging import discard_release
from reelrank.app.wiring import Container, build_lake_storage, build_release_manager
from reelrank.index_mappings.decision import REQUESTS
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.features.compute import FEATURE_NAMES
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS
from reelrank.ranking.progress import Progress
from reelrank.ranking.registry.decisions import Check, hash_inputs

SHOWN_DAYS = 14
"""Of the operator pages."""
DRIFTED_SHARE = 0.25
"""Of REELRANK_LOOP_MIN_REQUESTS are enough to train again when the policy asks for it. A choice."""
EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ContainerWork:
    """Does the work of each step. progress: of the long ones."""

    container: Container
    progress: Progress

    def now(self) -> datetime:
        return self.container.clock.now()

    def read_serving(self) -> str:
        pointer = self.container.releases.read_pointer()
        return pointer.serving.id if pointer is not None else ""

    def export(self) -> Input:
        report = export_lake(self.container, self.progress)
        lake = Lake(build_lake_storage(self.container.settings))
        partitions = lake.list_partitions(REQUESTS, EARLIEST, self.now() + timedelta(days=1))
        pages = hash_inputs([(str(part.date), part.hour, part.revision) for part in partitions])
        facts = {
            "events": str(report.total),
            "pages": pages,
            "features": compute_feature_fingerprint(FEATURE_NAMES),
        }
        settled = self.now() - timedelta(milliseconds=PLAY_WINDOW_MS)
        known = str(sum(part.end <= settled for part in partitions))
        return Input(hash_inputs(facts), facts, hash_inputs([pages, known, self.read_serving()]))

    def measure_days(self) -> None:
        renew_days(self.container, SHOWN_DAYS, self.progress)
        renew_sources(self.container)
        renew_drift(self.container)

    def label(self, since_ms: int) -> Labelled:
        found = count_answered(self.container, since_ms)
        if is_retraining_due(self.container):
            found = replace(found, least=max(1, round(DRIFTED_SHARE * found.least)))
        return found

    def build(self, run: str) -> Built:
        return build_candidate(self.container, run, self.progress)

    def judge(self, release: str) -> Sequence[Check]:
        return judge_release(self.container, release)

    def discard(self, release: str) -> None:
        discard_release(build_release_manager(self.container), release)

    def has_traffic(self) -> bool:
        return has_traffic(self.container)

    def observe_shadow(self, release: str, since: datetime | None) -> Observation:
        return observe_shadow(self.container, release, since)

    def observe_canary(self, release: str, since: datetime | None) -> Observation:
        return observe_canary(self.container, release, since)

    def promote(self, release: str) -> None:
        if self.read_serving() != release:
            build_release_manager(self.container).promote_release(release)

    def observe_promoted(self, release: str, baseline: str, since: datetime) -> Observation:
        return compare_pages(self.container, release, baseline, since)

    def roll_back(self, release: str, baseline: str) -> None:
        if self.read_serving() == release:
            build_release_manager(self.container).promote_release(baseline)

"""What is read of an experiment equals plain loops over the same rows; others do not count."""

from collections import defaultdict
from datetime import timedelta

import numpy as np
import pytest

from benchmarks.experiments.made_up_lake import EXPERIMENT, START, MadeUpExperiment, write_lake
from reelrank.index_mappings.decision import EVENTS, REQUESTS
from reelrank.index_mappings.event import DAY_MS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.logged.experiment_log import read_experiment_log
from reelrank.loaders.logged.experiment_pages import LogSpan
from reelrank.ranking.experiments.measurement.outcomes import ExperimentLog
from tests.unit.loaders.lake_rows import read_rows

pytestmark = pytest.mark.slow
END = START + timedelta(days=3)
SPAN = LogSpan(
    EXPERIMENT, START, END, END + timedelta(hours=1), ("control", "treatment"),
    convert_kind="watch", convert_hours=12.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> LakeStorage:
    storage = LakeStorage(str(tmp_path_factory.mktemp("experiment")))
    write_lake(storage, MadeUpExperiment(viewers=60, days=3, past_days=2, play_rate=0.3, share=0.3))
    return storage


@pytest.fixture(scope="module")
def log(storage: LakeStorage) -> ExperimentLog:
    return read_experiment_log(Lake(storage), SPAN)


def test_totals_are_those_of_plain_loops(storage: LakeStorage, log: ExperimentLog) -> None:
    """A watch that begins within ten minutes counts; the made-up ones begin within seconds."""
    begin = round(START.timestamp() * 1000)
    settled = round(SPAN.settled.timestamp() * 1000)
    pages = {row["request_id"]: row for row in read_rows(storage, REQUESTS)}
    expected: dict[str, defaultdict[str, float]] = {name: defaultdict(float) for name in ("now", "past")}
    for event in read_rows(storage, EVENTS):
        page = pages[event["request_id"]]
        when = "past" if page["at_ms"] < begin else "now"
        if page["at_ms"] < settled:
            expected[when]["seen"] += event["kind"] == "viewed"
            expected[when]["used"] += event["kind"] == "watch"
            expected[when]["watched_s"] += (event["watched_ms"] or 0) / 1000
    exposed = {row["user_key"] for row in pages.values() if row["variant"]}
    for page in pages.values():
        if page["at_ms"] < settled and page["user_key"] in exposed:
            expected["past" if page["at_ms"] < begin else "now"]["pages"] += 1
    assert len(log) == len(exposed)
    for name in ("pages", "seen", "used", "watched_s"):
        assert log.days.columns[name].sum() == pytest.approx(expected["now"][name])
    for name in ("seen", "used", "watched_s"):
        known = sum(column for column in [log.past[name].sum()])
        assert known <= expected["past"][name]
    treated = {row["user_key"] for row in pages.values() if row["variant"] == "treatment"}
    assert int((log.arms == 1).sum()) == len(treated)


def test_conversions_and_returns_are_those_of_plain_loops(storage: LakeStorage, log: ExperimentLog) -> None:
    pages = [row for row in read_rows(storage, REQUESTS) if row["variant"]]
    first: dict[str, int] = {}
    for page in sorted(pages, key=lambda row: int(row["at_ms"])):
        first.setdefault(page["user_key"], page["at_ms"])
    window = 12 * 3_600_000
    watched = [row for row in read_rows(storage, EVENTS) if row["kind"] == "watch"]
    converted = {
        row["user_key"] for row in watched
        if row["user_key"] in first and 0 <= row["at_ms"] - first[row["user_key"]] <= window
    }  # fmt: skip
    known = round(SPAN.known_until.timestamp() * 1000)
    convertible = {viewer for viewer, at in first.items() if at + window <= known}
    returned = {
        row["user_key"] for row in pages if row["at_ms"] // DAY_MS == first[row["user_key"]] // DAY_MS + 1
    }
    assert log.facts["converted"].sum() == len(converted)
    assert log.facts["convertible"].sum() == len(convertible)
    assert log.facts["returned"].sum() == len(returned)
    returnable = sum((at // DAY_MS + 2) * DAY_MS <= known for at in first.values())
    assert log.facts["returnable"].sum() == returnable


def test_new_viewers_are_those_without_a_page_in_the_days_before(
    storage: LakeStorage, log: ExperimentLog
) -> None:
    begin = round(START.timestamp() * 1000)
    pages = read_rows(storage, REQUESTS)
    before = {row["user_key"] for row in pages if row["at_ms"] < begin}
    exposed = {row["user_key"] for row in pages if row["variant"]}
    assert int(log.is_new.sum()) == len(exposed - before)
    assert np.isin(log.arms, (0, 1)).all()


def test_an_excluded_surface_and_another_experiment_leave_nobody(storage: LakeStorage) -> None:
    other = LogSpan("other", START, END, END, ("control", "treatment"))
    excluded = LogSpan(EXPERIMENT, START, END, END, ("control", "treatment"), surfaces=("home",))
    assert len(read_experiment_log(Lake(storage), other)) == 0
    assert len(read_experiment_log(Lake(storage), excluded)) == 0


def test_without_a_name_all_viewers_are_one_arm(storage: LakeStorage) -> None:
    everyone = read_experiment_log(Lake(storage), LogSpan("", START, END, END))
    assert set(everyone.arms.tolist()) == {0}
    assert len(everyone) == len({r["user_key"] for r in read_rows(storage, REQUESTS) if r["variant"]})

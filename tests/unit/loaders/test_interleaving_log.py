"""What is read of interleaved pages equals plain loops, and its report names the arm that viewers prefer."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from benchmarks.experiments.made_up_lake import EXPERIMENT, START, MadeUpExperiment, write_lake
from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from reelrank.loaders.logged.experiment_pages import LogSpan, open_outcomes
from reelrank.loaders.logged.interleaving_log import read_interleaving_log
from tests.unit.loaders.lake_rows import read_rows

pytestmark = pytest.mark.slow
END = START + timedelta(days=3)
ARMS = ("control", "treatment")
SPAN = LogSpan(EXPERIMENT, START, END, END + timedelta(hours=1), ARMS)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> LakeStorage:
    storage = LakeStorage(str(tmp_path_factory.mktemp("interleaving")))
    write_lake(storage, MadeUpExperiment(60, 3, 1, play_rate=0.3, effect=0.5, interleaved=True))
    return storage


def test_totals_of_teams_are_those_of_plain_loops(storage: LakeStorage) -> None:
    log = read_interleaving_log(Lake(storage), SPAN)
    pages = {row["request_id"]: row for row in read_rows(storage, REQUESTS) if row["variant"]}
    teams = {(row["request_id"], row["item"]): row["team"] for row in read_rows(storage, CANDIDATES)}
    shown = Counter(team for (request, _), team in teams.items() if request in pages)
    played = [row for row in read_rows(storage, EVENTS) if row["kind"] == "watch"]
    played = [row for row in played if row["request_id"] in pages]
    used = Counter(teams[row["request_id"], row["item"]] for row in played)
    by_page = Counter((row["request_id"], teams[row["request_id"], row["item"]]) for row in played)
    won = [sum(by_page[page, arm] > by_page[page, other] for page in pages)
           for arm, other in (ARMS, ARMS[::-1])]  # fmt: skip
    assert log.pages.sum() == len(pages)
    assert log.totals["shown"].sum(axis=0).tolist() == [shown[arm] for arm in ARMS]
    assert log.totals["used"].sum(axis=0).tolist() == [used[arm] for arm in ARMS]
    assert log.totals["won"].sum(axis=0).tolist() == won
    watched = sum(row["watched_ms"] for row in played) / 1000
    assert log.totals["watched_s"].sum() == pytest.approx(watched)
    assert len(np.unique(log.viewer)) == len({row["user_key"] for row in pages.values()})


def test_another_experiment_and_a_page_without_teams_leave_nothing(storage: LakeStorage) -> None:
    assert len(read_interleaving_log(Lake(storage), LogSpan("other", START, END, END, ARMS))) == 0
    before = LogSpan(EXPERIMENT, START - timedelta(days=2), START, END, ARMS)
    assert len(read_interleaving_log(Lake(storage), before)) == 0


def test_days_before_the_experiment_are_not_read(
    storage: LakeStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[tuple[date, date]]()

    def note(connection: Any, lake: Lake, dates: tuple[date, date], known_ms: int) -> Any:
        read.append(dates)
        return open_outcomes(connection, lake, dates, known_ms)

    monkeypatch.setattr("reelrank.loaders.logged.interleaving_log.open_outcomes", note)
    read_interleaving_log(Lake(storage), SPAN)
    assert read == [(START.date(), END.date())]

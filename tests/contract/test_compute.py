"""Places to compute that Python alone can run: a pool of two processes, and Dask on this machine."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.compute import backend
from reelrank.app.compute.backend import Compute, ComputeOptions, Place, open_compute
from reelrank.app.compute.dask import cut_groups
from reelrank.app.compute.logged_rows import LoggedRowOpener
from reelrank.index_mappings.errors import BadRequest, Unavailable
from reelrank.ranking.training.partitioned.fixed_rounds import fit_rounds, train_rounds
from reelrank.ranking.training.partitioned.partition_task import cut_spans, split_by_date
from tests.contract.compute import NAMES, ComputeContract, make_training_set, write_lake
from tests.raised import raises_code

PLACES = (ComputeOptions(workers=2), ComputeOptions(Place.DASK, workers=2))


@pytest.fixture(scope="module")
def opener(tmp_path_factory: pytest.TempPathFactory) -> LoggedRowOpener:
    return write_lake(tmp_path_factory.mktemp("compute"))


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: f"{place.place}-{place.workers}")
def compute(request: pytest.FixtureRequest) -> Iterator[Compute]:
    with open_compute(request.param) as opened:
        yield opened


@pytest.mark.slow
class TestCompute(ComputeContract):
    pass


def test_a_missing_extra_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_spec", lambda _name: None)
    with raises_code(BadRequest, "extra_not_installed") as raised:
        open_compute(ComputeOptions(Place.SPARK))
    assert "pip install 'reelrank[spark]'" in str(raised.value)


def test_a_cluster_is_not_asked_for_on_this_machine() -> None:
    with raises_code(BadRequest, "request_rejected"):
        open_compute(ComputeOptions(cluster="tcp://127.0.0.1:1"))


def test_a_scheduler_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from reelrank.app.compute import dask

    monkeypatch.setattr(dask, "CONNECT_TIMEOUT_S", 0.2)
    with (
        raises_code(Unavailable, "compute_failed"),
        open_compute(ComputeOptions(Place.DASK, cluster="tcp://127.0.0.1:1")),
    ):
        raise AssertionError("it must not open")


def test_the_command_offers_the_places() -> None:
    help_text = CliRunner().invoke(app, ["train", "--help"]).output
    assert all(option in help_text for option in ("--on", "--workers", "--cluster"))


@pytest.mark.parametrize("parts", [1, 2, 3, 50])
def test_groups_are_cut_into_parts_of_about_as_many_rows(parts: int) -> None:
    groups = np.random.default_rng(1).integers(1, 40, 30).astype(np.int32)
    cuts = cut_groups(groups, parts)
    rows = [int(groups[begin:end].sum()) for begin, end in pairwise(cuts)]
    assert sum(rows) == groups.sum()
    assert min(rows) > 0
    assert len(rows) <= parts
    assert max(rows) <= groups.sum() / parts + groups.max()


def test_a_trainer_without_early_stopping_keeps_the_best_rounds() -> None:
    training = make_training_set(120)
    trained = train_rounds(training, NAMES, lambda rows, names, *_: fit_rounds(rows, names, 60))
    assert 0 < trained.rounds <= 60
    assert trained.rounds % 10 == 0
    assert trained.calibration is not None
    assert trained.model_text.count("Tree=") == trained.rounds


@pytest.mark.parametrize(("workers", "parts"), [(1, 1), (2, 2), (4, 4), (100, 23)])
def test_a_span_is_cut_at_hours_so_that_each_worker_gets_a_part(workers: int, parts: int) -> None:
    begin, end = datetime(2026, 3, 4, 0, 30, tzinfo=UTC), datetime(2026, 3, 4, 22, 45, tzinfo=UTC)
    cut = cut_spans([(begin, end)], [900], workers)
    assert len(cut) == parts
    assert (cut[0][0], cut[-1][1]) == (begin, end)
    assert all(before == after and before.minute == 0 for (_, before), (after, _) in pairwise(cut))
    hours = [(last - first).total_seconds() / 3600 for first, last in cut]
    assert min(hours) > 0
    assert max(hours) <= 22.25 / parts + 1


def test_spans_that_the_workers_share_anyway_are_not_cut() -> None:
    days = split_by_date(datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC))
    assert cut_spans(days, [100] * 4, workers=2) == days
    assert len(cut_spans(days, [100, 100, 100, 700], workers=4)) == 3 + 3
    assert cut_spans([], [], workers=4) == []

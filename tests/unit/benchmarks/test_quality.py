"""Quality benchmark: choice of parameters, NDCG conventions, missing data and report files."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.quality.choosing import Params, choose
from benchmarks.quality.datasets import VARIABLE, DatasetMissing, find_data_file
from benchmarks.quality.mq2008 import Queries
from benchmarks.quality.report import Goal, Report, Row, write_report
from benchmarks.quality.run import main
from reelrank.ranking.evaluation.intervals import Interval
from reelrank.ranking.progress import ignore_progress


def test_the_best_parameters_on_held_out_queries_are_chosen() -> None:
    seen: list[int] = []

    def score_fold(rest: NDArray[np.intp], fold: NDArray[np.intp], params: Params) -> NDArray[np.float64]:
        assert not set(rest) & set(fold)
        seen.extend(fold.tolist())
        return np.full(len(fold), params["depth"] * (5 - params["depth"]), np.float64)

    choice = choose({"depth": (1, 2, 4)}, 23, score_fold, ignore_progress)
    assert choice.params == {"depth": 2}
    assert sorted(seen) == sorted(list(range(23)) * 3)


@pytest.mark.parametrize(("empty", "exponential", "mean"), [(1.0, False, 0.8100), (0.0, True, 0.2934)])
def test_ndcg_follows_the_named_convention(empty: float, exponential: bool, mean: float) -> None:
    labels = np.array([1, 2, 0, 0], np.int32)
    queries = Queries(np.zeros((4, 1), np.float32), labels, np.array([0, 3, 4]))
    scores = np.array([1.0, 0.0, 3.0, 0.0], np.float32)
    measured = queries.compute_ndcg(scores, np.arange(2), empty, exponential)
    # by hand: gains 1 and 2 (1 and 3) at ranks 2 and 3 against 2 and 1 (3 and 1) at ranks 1 and 2
    assert measured.mean() == pytest.approx(mean, abs=1e-4)


def test_a_missing_data_set_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(DatasetMissing, match=VARIABLE):
        find_data_file("scifact", "corpus.jsonl")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(DatasetMissing, match=r"corpus\.jsonl"):
        find_data_file("scifact", "corpus.jsonl")


def test_measuring_nothing_is_not_a_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert main(["scifact", "mq2008"]) == 2
    output = capsys.readouterr().out
    assert "measured: nothing" in output
    assert output.count(f"set {VARIABLE}") == 2


def test_a_demo_directory_without_a_demo_is_not_a_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--small", "--demo", str(tmp_path)]) == 2
    assert "reelrank demo" in capsys.readouterr().out


def test_a_report_is_written_as_json_table_and_plot(tmp_path: Path) -> None:
    rows = [
        Row("published", {"NDCG@10": 0.5}),
        Row("ours", {"NDCG@10": Interval(0.6, 0.55, 0.65), "ms": 3.0}),
    ]
    report = Report("toy", "A toy", "NDCG@10", rows, [Goal("NDCG@10", 0.6, 0.55)])
    write_report(report, tmp_path, 1.0)
    assert "| ours | 0.6000 [0.5500, 0.6500] | 3 |" in (tmp_path / "quality-toy.md").read_text()
    assert '"value": 0.6' in (tmp_path / "quality-toy.json").read_text()
    assert "<svg" in (tmp_path / "quality-toy.svg").read_text()


def test_a_missed_goal_is_named() -> None:
    assert str(Goal("NDCG@10", 0.5, 0.66)) == "MISSED: NDCG@10 0.5000, at least 0.66"

"""The report of a ranker has rows for EASE and recent popularity, on the real pipeline."""

from datetime import UTC, datetime
from pathlib import Path

from reelrank.app.jobs.comparison import compare_rankings, rank_home_pages
from reelrank.app.jobs.history import read_history
from reelrank.app.jobs.training import collect_judged_requests
from reelrank.ranking.evaluation.baselines import EASE, POPULARITY
from reelrank.ranking.progress import ignore_progress
from reelrank.ranking.rankers.lambdarank import FusedOrder
from tests.sample_project import build_project


def test_home_pages_are_compared_with_ease_and_popularity(tmp_path: Path) -> None:
    history = read_history(build_project(tmp_path, datetime(2026, 11, 24, tzinfo=UTC)))
    judged = collect_judged_requests(history, ignore_progress)
    evaluation = compare_rankings(history, judged, FusedOrder())
    popularity = next(name for name in evaluation.list_systems("home") if name.startswith(f"{POPULARITY}, "))
    home = {result.system for result in evaluation.differences if result.kind == "home"}
    assert home == {f"lambdarank - {name}" for name in ("fused", "popularity", EASE, popularity)}
    assert EASE not in evaluation.list_systems("search")
    assert evaluation.notes[0].endswith("200 are the least to train on, so 200 are missing")


def test_without_home_pages_there_is_no_baseline(tmp_path: Path) -> None:
    history = read_history(build_project(tmp_path, datetime(2026, 11, 24, tzinfo=UTC)))
    judged = collect_judged_requests(history, ignore_progress)
    assert rank_home_pages(history, [each for each in judged if each.kind != "home"]) == {}
    assert rank_home_pages(history, []) == {}

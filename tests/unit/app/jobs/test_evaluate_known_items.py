"""Known items are searched as served and without a model, on the real embedded engine."""

from datetime import UTC, datetime
from pathlib import Path

from reelrank.app.jobs.known_items import evaluate_known_items
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container
from reelrank.index_mappings.errors import NotFound
from reelrank.ranking.progress import ignore_progress
from tests.raised import raises_code
from tests.sample_project import build_project

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def test_titles_are_first_as_served_and_not_below_bm25(tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    results = evaluate_known_items(
        build_project(tmp_path, NOW), 10, 0, lambda _, done, total: steps.append((done, total))
    )
    exact = {result.system: result for result in results if result.kind == "exact"}
    assert list(exact) == ["bm25", "served", "without a model", "degraded"]
    assert exact["served"].first.mean == exact["without a model"].first.mean == 1.0
    assert exact["served"].first.mean >= exact["bm25"].first.mean
    assert steps[-1][0] == steps[-1][1] == sum(result.queries for result in results)


def test_without_items_it_says_what_to_do(tmp_path: Path) -> None:
    container = build_container(Settings.model_validate({"data_dir": tmp_path}))
    with raises_code(NotFound, "no_items_loaded"):
        evaluate_known_items(container, 10, 0, ignore_progress)

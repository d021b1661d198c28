"""The benchmark of learning: its histories are what they say, and missed aims are named."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.data.catalogue import Catalogue
from benchmarks.learning.histories import PAGE, History, choose_end, write_history
from benchmarks.learning.report import LEARNING, READY, list_misses, tabulate, write_plot
from benchmarks.logging_cost import OFF, SHOWN, format_rows
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, build_lake_storage
from reelrank.index_mappings.decision import CANDIDATES, REQUESTS
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.progress import ignore_progress

END = datetime(2026, 11, 20, 12, tzinfo=UTC)


def build_run(impressions: int, rss_mb: int, cpu_s: float) -> dict[str, Any]:
    steps = [{"step": name, "wall_s": 20.0, "cpu_s": cpu_s, "rss_mb": rss_mb} for name in (*LEARNING, READY)]
    sizes = {"lake": 2**20, "training-cache": 2**20}
    return {"impressions": impressions, "bytes": sizes, "steps": steps}


def test_a_history_has_pages_and_events_of_all_days(tmp_path: Path) -> None:
    container = build_container(Settings(data_dir=tmp_path))
    stored = write_history(History(800, 2, END, Catalogue(100)), container, ignore_progress)
    lake = Lake(build_lake_storage(container.settings))
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    requests = sum(batch.num_rows for batch in lake.scan(REQUESTS, begin, END))
    shown = sum(batch["shown"].true_count for batch in lake.scan(CANDIDATES, begin, END, ["shown"]))
    assert (requests, shown) == (800 // PAGE, 800)
    assert 800 <= stored == container.events.count()
    assert len(container.events.recent("viewer-0", 100, 1.0)) > 0


def test_missed_aims_are_named(tmp_path: Path) -> None:
    small, large = build_run(10**6, 1000, 10), build_run(10**7, 3000, 1000)
    assert [line.split(",")[0] for line in list_misses([small, large])] == [
        "missed: 3",
        "missed: 300 CPU seconds a million",
        "missed: a worker is ready after 20.0 s",
        "missed: 3.00 times the memory for ten times the impressions; aim: 1.1",
    ]
    assert list(list_misses([build_run(10**5, 100, 1)])) == [
        "missed: a worker is ready after 20.0 s, the aim is 10"
    ]
    assert "| 1,000,000 | 1,000 | 30.0 | 20.0 | 1 | 1 |" in tabulate([small, large])
    write_plot([small, large], tmp_path / "learning")
    assert (tmp_path / "learning.svg").stat().st_size > 1000


def test_the_cost_of_logging_is_a_difference_of_paired_blocks() -> None:
    rounds = {OFF: [(10.0, 5.0), (20.0, 6.0)], SHOWN: [(11.0, 5.0), (24.0, 6.0)]}
    assert format_rows(rounds) == [
        (OFF, "15.00", "5.50", ""),
        (SHOWN, "17.50", "5.50", "2.50 (1.00, 4.00)"),
    ]


def test_a_history_ends_before_the_hour() -> None:
    assert choose_end(datetime(2026, 11, 20, 12, 30, tzinfo=UTC)) == datetime(2026, 11, 20, 11, tzinfo=UTC)

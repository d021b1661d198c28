"""The questions of docs/data.md: DuckDB, pandas, Polars and pyarrow give the same answer."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.loaders.lake.storage import LakeStorage
from tests.unit.loaders.lake_rows import (
    MORNING,
    NEXT_DAY,
    build_event,
    export,
    run_compaction,
    write_decisions,
)

PAGE = Path(__file__).parents[3] / "docs" / "data.md"
EXAMPLES = dict(re.findall(r"<!-- tested: (\w+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL))


@pytest.fixture(params=["open", "compacted"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> LakeStorage:
    """A lake with two pages of the day that the examples ask for, and others before and after it."""
    storage, events = LakeStorage(str(tmp_path / "lake")), EmbeddedEvents(tmp_path / "engine")
    for number, at in enumerate(
        (MORNING, MORNING + timedelta(hours=2), MORNING - timedelta(days=1), NEXT_DAY)
    ):
        write_decisions(storage, [f"r{number}"], at)
        click(events, f"r{number}", at)
    export(storage, events, tmp_path)
    if request.param == "compacted":
        run_compaction(storage)
    return storage


def click(events: EmbeddedEvents, request_id: str, at: datetime) -> None:
    """Two clicks on one item count once."""
    events.append([build_event(f"{request_id}-{n}", at, request_id=request_id) for n in range(2)])


def answer(lake: LakeStorage, tool: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(EXAMPLES["files"].replace("reelrank-data/lake", lake.url), names)
    exec(EXAMPLES[tool], names)
    return names


@pytest.mark.parametrize("tool", ["duckdb", "pandas", "polars"])
def test_the_examples_answer_the_question(lake: LakeStorage, tool: str) -> None:
    assert [tuple(row) for row in answer(lake, tool)["answer"]] == [("home", 4, 2)]


def test_the_reader_counts_the_same_items(lake: LakeStorage) -> None:
    assert answer(lake, "pyarrow")["shown"] == 4

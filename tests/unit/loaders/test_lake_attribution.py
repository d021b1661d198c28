"""Attribution of a date of the lake: over midnight, and the same before and after compaction."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reelrank.app.engines.embedded.store.events import EmbeddedEvents
from reelrank.index_mappings.event import Event
from reelrank.loaders.lake.attribution import DatePart, attribute_part
from reelrank.loaders.lake.merge import QueryLimits
from reelrank.loaders.lake.reader import Lake
from reelrank.loaders.lake.storage import LakeStorage
from tests.unit.loaders.lake_rows import DAY, export, run_compaction, to_ms, write_decisions

LATE = datetime(2026, 3, 4, 23, 58, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AS_OF_MS = to_ms(LATE + timedelta(days=3))


def read_date(storage: LakeStorage) -> list[dict[str, Any]]:
    limits = QueryLimits(threads=1, memory_mb=200)
    with attribute_part(Lake(storage), DatePart(DAY), AS_OF_MS, limits=limits) as batches:
        return [row for batch in batches for row in batch.to_pylist()]


def test_a_date_without_files_has_no_rows(storage: LakeStorage) -> None:
    assert read_date(storage) == []


def test_a_play_after_midnight_is_the_merit_of_the_page_before_it(
    storage: LakeStorage, events: EmbeddedEvents, tmp_path: Path
) -> None:
    write_decisions(storage, ["a", "b"], LATE)
    write_decisions(storage, ["next"], LATE + 5 * MINUTE)
    events.append(
        [
            Event("e1", "watch", "ada", to_ms(LATE + 6 * MINUTE), "i1", 60_000, request_id="a"),
            Event("e2", "watch", "ada", to_ms(LATE + 30 * MINUTE), "i0", 60_000, request_id="b"),
        ]
    )
    export(storage, events, tmp_path)
    rows = read_date(storage)
    assert [(row["request_id"], row["item"], row["played"]) for row in rows] == [
        ("a", "i0", False),
        ("a", "i1", True),
        ("b", "i0", False),
        ("b", "i1", False),
    ]
    run_compaction(storage, LATE + timedelta(days=2))
    assert read_date(storage) == rows

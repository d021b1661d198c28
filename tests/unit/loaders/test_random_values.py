"""Random values in every field: a load counts each row, or is refused with a code."""

from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.index_mappings.errors import CodedError
from reelrank.loaders.events.column_names import EVENT_COLUMNS
from reelrank.loaders.events.event_files import EventLoad, check_event_files
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.files.source import open_source_files
from reelrank.loaders.items.catalogue import LoadOptions
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.item_files import check_item_files
from reelrank.loaders.items.item_writer import ItemLoad
from reelrank.loaders.report import FileReport

OPTIONS = LoadOptions(created_at=datetime(2026, 11, 24, tzinfo=UTC), max_reject_share=1.0)
WORDS = st.sampled_from(
    ["", '"', "[", "{}", "[{'a': 1}]", "{'a'}", "\\N", "nan", "1e400", "-1", "12.06.1998", "31/31/1999",
     "Jun 31 1999", "&#xFFFFFFFF;", "&#0;", "2 Seasons", "PT", "1:99:99", "\x00", "(1999)", "X, The (1999)",
     "2011-", "0000", "inf", "1_000", "\N{ARABIC-INDIC DIGIT THREE}", "{a,{b}}", "[nan]",
     "Fri, 99 Jun 1998 10:00:00 +9999"],
)  # fmt: skip
SCALARS = WORDS | st.text(max_size=8) | st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "x", "$oid", "$date"]), inner, max_size=2)
    ),
    max_leaves=5,
)
ITEM_ROWS = st.lists(
    st.dictionaries(st.sampled_from([field.name for field in ITEM_FIELDS]), VALUES, max_size=6), max_size=6
)
EVENT_ROWS = st.lists(
    st.dictionaries(st.sampled_from([field.name for field in EVENT_COLUMNS]), VALUES, max_size=6), max_size=6
)
UBI_ROWS = st.lists(
    st.fixed_dictionaries(
        {"action_name": st.sampled_from(["click", "watch", "scroll"]) | VALUES},
        optional={
            "client_id": VALUES,
            "timestamp": st.just("2026-01-01T00:00:00Z") | VALUES,
            "event_attributes": st.dictionaries(
                st.sampled_from(["object", "position", "watched_ms", "device"]),
                st.just({"object_id": "f1"}) | VALUES,
                max_size=3,
            ),
        },
    ),
    max_size=6,
)


def check(path: Path, kind: str, is_strict: bool) -> FileReport:
    fields = ITEM_FIELDS if kind == "items" else EVENT_COLUMNS
    rules = FieldRules(fields, duration_unit="min", latest_date=date(2027, 12, 31), is_strict=is_strict)
    rejects = path.with_suffix(".rejects")
    with open_source_files(str(path), None) as (files, _):
        if kind == "items":
            return check_item_files(ItemLoad(files, rules, rejects, OPTIONS))
        return check_event_files(EventLoad(files, rules, rejects, OPTIONS))


@pytest.mark.parametrize("kind", ["items", "events", "UBI"])
@settings(max_examples=60, deadline=None)
@given(data=st.data(), is_strict=st.booleans())
def test_every_row_is_counted_whatever_it_holds(kind: str, data: st.DataObject, is_strict: bool) -> None:
    rows: list[dict[str, Any]] = data.draw({"items": ITEM_ROWS, "events": EVENT_ROWS, "UBI": UBI_ROWS}[kind])
    with TemporaryDirectory() as directory:
        path = Path(directory) / "rows.jsonl"
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        try:
            report = check(path, "items" if kind == "items" else "events", is_strict)
        except CodedError:
            return
        assert report.read == len(rows)
        assert report.rejected == (
            len(report.rejects.read_bytes().splitlines()) if report.rejects is not None else 0
        )

"""Dates of whole columns: units since 1970, the order of day and month, stated forms, the latest date."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelrank.loaders.fields.dates import DateStyle, parse_datetime
from reelrank.loaders.fields.field_map import FieldRules
from reelrank.loaders.fields.mapped_rows import read_mapped_rows
from reelrank.loaders.files.source import SourceError, open_source_files
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.summary import check_items
from tests.raised import raises_code

LATEST = date(2027, 12, 31)
DAYS = st.dates(date(1900, 1, 1), LATEST)
FORMATS = [
    "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d %Y", "%d-%b-%Y",
    "%a, %d %b %Y", "%a, %d %b %Y 10:30:00 +0000", "%Y-%m-%d 10:30:00 UTC", "%Y-%m-%dT10:30:00Z",
    "%b %d, %Y 10:30 AM",
]  # fmt: skip


def read_dates(texts: list[object], rules: FieldRules | None = None) -> list[str]:
    """Reads a column of dates from a file; "" for a date that cannot be read."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "films.csv"
        lines = [f'f{n},Film,"{text}"' for n, text in enumerate(texts)]
        path.write_text("\n".join(["id,title,release_date", *lines, ""]))
        rules = rules or FieldRules(ITEM_FIELDS, latest_date=LATEST)
        with open_source_files(str(path), None) as (files, _):
            items = [i for mapped in read_mapped_rows(files, rules) for i in check_items(mapped).items]
    return ["" if item.published_at is None else f"{item.published_at:%Y-%m-%d}" for item in items]


@settings(max_examples=60, deadline=None)
@given(day=DAYS, date_format=st.sampled_from(FORMATS))
def test_a_written_date_is_the_day_that_was_written(day: date, date_format: str) -> None:
    assert parse_datetime(day.strftime(date_format)).date() == day


@settings(max_examples=60, deadline=None)
@given(
    days=st.lists(DAYS, min_size=2, max_size=20),
    date_format=st.sampled_from(["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y 10:30"]),
)
def test_the_order_of_day_and_month_is_that_of_the_column(days: list[date], date_format: str) -> None:
    decisive = date(1999, 5, 31)
    read = read_dates([day.strftime(date_format) for day in [*days, decisive]])
    assert read == [day.isoformat() for day in [*days, decisive]]


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["12.06.1998", "01.02.1999"], ["1998-06-12", "1999-02-01"]),
        (["12/06/1998", "5/5/1999"], ["", "1999-05-05"]),
        (["12/06/1998", "13/01/1999", "01/13/1999"], ["", "1999-01-13", "1999-01-13"]),
        (["13/06/1998", "06/14/1998", "1999-01-02"], ["1998-06-13", "1998-06-14", "1999-01-02"]),
        (["31/12/1998", "31/02/1998"], ["1998-12-31", ""]),
        (["May 1999", "12 Jun 98", "Spring 1998"], ["1999-05-01", "", ""]),
    ],
)
def test_an_order_that_no_date_tells_is_not_guessed(texts: list[object], days: list[str]) -> None:
    assert read_dates(texts) == days


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.lists(st.integers(-2_208_988_800, 1_830_297_599), min_size=1, max_size=20),
    unit=st.sampled_from([1, 1000, 10**6, 10**9]),
)
def test_the_unit_of_numbers_is_that_of_the_column(seconds: list[int], unit: int) -> None:
    decisive = [915_148_800] * (len(seconds) + 1)
    expected = [(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=s)).date() for s in seconds + decisive]
    assert read_dates([s * unit for s in seconds + decisive]) == [day.isoformat() for day in expected]


def test_a_date_after_the_latest_one_is_no_data() -> None:
    texts: list[object] = ["1999-01-01", "3968-08-29", "2028-01-01", "9999-12-31", "2027-12-31"]
    assert read_dates(texts) == ["1999-01-01", "", "", "", "2027-12-31"]
    later = FieldRules(ITEM_FIELDS, latest_date=date(2030, 1, 1))
    assert read_dates(texts, later) == ["1999-01-01", "", "2028-01-01", "", "2027-12-31"]
    with pytest.raises(ValueError, match=r"after 2027-12-31.*--latest-date"):
        parse_datetime("2028-01-01", DateStyle(latest=LATEST))


def test_a_stated_form_is_the_only_one() -> None:
    rules = FieldRules(ITEM_FIELDS, date_format="%y.%d.%m", latest_date=LATEST)
    assert read_dates(["17.14.11", "98.12.06", "1999-01-01", 1999], rules) == [
        "2017-11-14",
        "1998-06-12",
        "",
        "",
    ]


@pytest.mark.parametrize("date_format", ["%Q", "year", "%m/%d"])
def test_a_form_that_reads_no_dates_is_refused(date_format: str) -> None:
    with raises_code(SourceError, "invalid_mapping"):
        FieldRules(ITEM_FIELDS, date_format=date_format)

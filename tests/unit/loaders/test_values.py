"""Parsers of values as people write them: dates, durations, lists, numbers, flags and column names."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from reelrank.loaders.fields.columns import (
    MISSING_TEXTS,
    parse_column,
    parse_integer_column,
    parse_names_column,
    parse_text_column,
)
from reelrank.loaders.fields.dates import DateStyle, parse_datetime, parse_epoch_ms
from reelrank.loaders.fields.durations import Unit, parse_duration_ms
from reelrank.loaders.fields.field_map import (
    FieldRules,
    match_fields,
    normalise_name,
    parse_field_pairs,
    parse_unit,
    read_mapping,
)
from reelrank.loaders.fields.lists import ListStyle, parse_names
from reelrank.loaders.fields.numbers import parse_flag, parse_integer
from reelrank.loaders.files.source import SourceError
from reelrank.loaders.items.column_names import ITEM_FIELDS
from tests.raised import raises_code

MAY_DAY = datetime(1999, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["1999-05-01", "1999/05/01", "1999-05-01T00:00:00Z", "1999-05-01T02:00:00+02:00", "19990501",
     "1 May 1999", "May 1, 1999", "May 1 1999", "01-May-1999", "1-may-1999", "1 May, 1999", "May 1st, 1999",
     "1. May 1999", "Sat, 1 May 1999", "Saturday, May 1, 1999", "1999 May 1", "1999-May-01", "May 1999",
     "1999-05", 925516800, 925516800000, "925516800", MAY_DAY, date(1999, 5, 1)],
)  # fmt: skip
def test_dates_are_parsed_in_every_supported_form(written: object) -> None:
    assert parse_datetime(written) == MAY_DAY


def test_a_year_is_its_first_day() -> None:
    assert parse_datetime("1999") == parse_datetime(1999) == datetime(1999, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["12/05/1999", "Unknown", "May", "32 May 1999", "May 99", "Sat", "soon", "99", -5, 1e30, "1999-13-01"],
)
def test_invalid_and_ambiguous_dates_are_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"is not|--date-format"):
        parse_datetime(written)


@pytest.mark.parametrize(
    ("written", "unit", "ms"),
    [(92, "min", 5_520_000), ("92", "min", 5_520_000), (1.5, "h", 5_400_000), ("92 min", None, 5_520_000),
     ("1:32:05", None, 5_525_000), ("32:05", None, 1_925_000), ("PT1H32M", None, 5_520_000),
     ("1h 32m", None, 5_520_000), ("1 hr 32 mins", "s", 5_520_000), (timedelta(minutes=2), None, 120_000),
     (0, "s", 0)],
)  # fmt: skip
def test_durations_are_parsed_in_every_supported_form(written: object, unit: Unit, ms: int) -> None:
    assert parse_duration_ms(written, unit) == ms


@pytest.mark.parametrize(
    ("written", "unit"), [(92, None), (-1, "s"), (10**9, "h"), ("long", "s"), ("P", "s")]
)
def test_durations_without_unit_or_out_of_range_are_refused(written: object, unit: Unit | None) -> None:
    with pytest.raises(ValueError, match=r"unit|is not a duration"):
        parse_duration_ms(written, unit)


def test_a_time_in_a_stated_unit_is_not_guessed() -> None:
    assert parse_epoch_ms(5, DateStyle("ms")) == 5
    assert parse_epoch_ms(1_700_000_000) == 1_700_000_000_000
    with pytest.raises(ValueError, match="1970"):
        parse_epoch_ms("1969-12-31")


def test_lists_are_parsed_from_lists_text_and_records() -> None:
    assert parse_names_column(pa.array([["a", "b", "a"], None])).values == [("a", "b"), ()]
    assert parse_names_column(pa.array(["a|b, c", "a;b", "a, b", '["x", "y"]', " "])).values == [
        ("a", "b, c"),
        ("a", "b"),
        ("a", "b"),
        ("x", "y"),
        (),
    ]
    assert parse_names_column(pa.array(["Lee, Ann/Ray, Bob"]), ListStyle("/")).values == [
        ("Lee, Ann", "Ray, Bob")
    ]
    assert parse_names_column(pa.array([[{"id": 1, "name": "Drama"}]])).values == [("Drama",)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[{'id': 1, 'name': 'Drama'}, {'id': 2, 'name': 'Sea'}]", ("Drama", "Sea")),
        ("[\"sailor's\", 'rope']", ("sailor's", "rope")),
        ("['a, b', None, 'c']", ("a, b", "c")),
        (" ['a'] ", ("a",)),
        ("[]", ()),
        ("[1, 2.0]", ("1", "2")),
        ("[REC]", ("[REC]",)),
        ("[REC]|Drama", ("[REC]", "Drama")),
        ("[a; b]", ("a", "b")),
        ("[open('x')]", ("[open('x')]",)),
    ],
)
def test_lists_in_json_or_python_syntax_are_parsed(text: str, names: tuple[str, ...]) -> None:
    assert parse_names_column(pa.array([text])).values == [names]


@pytest.mark.parametrize("word", ["NA", "na", "N/A", "null", "NULL", "None", "NaN", r"\N", ""])
@pytest.mark.parametrize(
    "form", ["{}|Drama", "Drama, {}", '["{}", "Drama"]', "['Drama', '{}']", "{{{},Drama}}"]
)
def test_a_word_for_a_missing_value_is_no_name_in_a_list(form: str, word: str) -> None:
    assert parse_names_column(pa.array([form.format(word)])).values == [("Drama",)]
    assert parse_names_column(pa.array([["Drama", word]])).values == [("Drama",)]
    codes = parse_names_column(pa.array([form.format(word)]), missing=MISSING_TEXTS).values[0]
    assert set(codes) == ({"Drama", word} if word.lower() == "na" else {"Drama"})


def test_words_for_missing_values_are_text_in_mixed_columns() -> None:
    assert parse_text_column(["None", 1776, None, "NaN", float("nan"), " n/a "]).values == [
        "None", "1776", "", "NaN", "", "n/a",
    ]  # fmt: skip
    assert parse_text_column(pa.array(["None", "1776", None])).values == ["None", "1776", ""]


def test_values_of_any_arrow_type_become_text() -> None:
    assert parse_text_column(pa.array([1, None])).values == ["1", ""]
    assert parse_text_column(pa.array([7.0, 7.5])).values == ["7", "7.5"]
    assert parse_text_column(pa.array([" a "], pa.large_string())).values == ["a"]
    assert parse_text_column(pa.array(["a", "b", "a"]).dictionary_encode()).values == ["a", "b", "a"]
    assert parse_text_column(pa.array([Decimal("3.00")])).values == ["3"]
    assert parse_text_column(pa.nulls(2)).values == ["", ""]
    assert list(parse_text_column(pa.array([["no", "text"]])).errors) == [0]


def test_errors_are_by_row_and_equal_values_are_parsed_once() -> None:
    parsed = []

    def parse(value: str) -> int:
        parsed.append(value)
        return parse_integer(value)

    column = parse_column(pa.array(["1", "x", "1", None, "\\N", "x", ""]), parse)
    assert column.values == [1, None, 1, None, None, None, None]
    assert set(column.errors) == {1, 5}
    assert parsed == ["1", "x"]


def test_missing_numbers_are_not_errors() -> None:
    assert parse_integer_column(pa.array([1.0, float("nan"), None])).values == [1, None, None]


@pytest.mark.parametrize("value", [-1, 1.5, "x", 2**40, True])
def test_values_that_are_not_whole_numbers_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="whole number"):
        parse_integer(value)


def test_flags_are_parsed_from_usual_words() -> None:
    assert [parse_flag(value) for value in (True, "yes", "0")] == [True, True, False]
    with pytest.raises(ValueError, match="neither"):
        parse_flag("perhaps")


def test_columns_are_matched_by_name_and_others_are_listed() -> None:
    found = match_fields(
        FieldRules(ITEM_FIELDS), ["imdbID", "Title", "Director", "cast", "Runtime (min)", "mood"]
    )
    assert found.columns == {
        "id": ("imdbID",),
        "title": ("Title",),
        "people": ("Director", "cast"),
        "duration_s": ("Runtime (min)",),
    }
    assert found.unused == ("mood",)
    assert found.find_unit("Runtime (min)") == "min"


def test_stated_columns_take_precedence_over_names() -> None:
    rules = FieldRules(ITEM_FIELDS, parse_field_pairs(["title=local.name", "tags=mood", "tags=title"]))
    found = match_fields(rules, ["id", "title", "mood", "local", "name"])
    assert found.columns["title"] == ("local.name",)
    assert found.columns["tags"] == ("mood", "title")
    assert found.unused == ("name",)


def test_a_later_column_fills_only_a_field_without_a_column() -> None:
    rules = FieldRules(ITEM_FIELDS)
    first = match_fields(rules, ["id", "name"])
    later = match_fields(rules, ["id", "title", "genre"], first)
    assert (later.columns["title"], later.columns["genres"]) == (("name",), ("genre",))
    assert later.unused == ("title",)


@pytest.mark.parametrize("pair", ["country=made_in", "countries=made_in"])
def test_a_list_field_can_be_mapped_by_its_singular_name(pair: str) -> None:
    rules = FieldRules(ITEM_FIELDS, parse_field_pairs([pair]))
    assert match_fields(rules, ["id", "title", "made_in"]).columns["countries"] == ("made_in",)


def test_of_several_language_columns_known_by_name_the_best_is_read() -> None:
    names = ["id", "title", "original_language", "spoken_languages", "language"]
    assert match_fields(FieldRules(ITEM_FIELDS), names).columns["languages"] == ("language",)


@pytest.mark.parametrize(
    ("text", "countries"),
    [
        ("Norway, Iceland", ("Norway", "Iceland")),
        ("Korea, Republic of, Japan", ("Korea, Republic of", "Japan")),
        ("Bahamas, The", ("Bahamas, The",)),
        ("USA, Congo, The Democratic Republic of the", ("USA", "Congo, The Democratic Republic of the")),
        ("France, Republic of Ireland", ("France", "Republic of Ireland")),
        ("[{'iso_3166_1': 'NO', 'name': 'Norway'}]", ("Norway",)),
        ("", ()),
    ],
)
def test_countries_are_read_as_lists(text: str, countries: tuple[str, ...]) -> None:
    assert parse_names(text) == countries


@pytest.mark.parametrize(
    ("pairs", "message"),
    [(["rating=x"], "no field rating"), (["title"], "FIELD=COLUMN"), (["id=a", "id=b"], "one value")],
)
def test_an_invalid_mapping_is_refused(pairs: list[str], message: str) -> None:
    with raises_code(SourceError, "invalid_mapping", match=message):
        FieldRules(ITEM_FIELDS, parse_field_pairs(pairs))


def test_a_mapping_file_has_fields_and_settings(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('separator = "/"\n[fields]\ntitle = "name"\npeople = ["director", "cast"]\n')
    assert read_mapping(path) == ({"title": ("name",), "people": ("director", "cast")}, {"separator": "/"})
    path.write_text('colour = "red"')
    with raises_code(SourceError, "invalid_mapping"):
        read_mapping(path)


def test_column_names_are_normalised_and_give_units() -> None:
    assert [normalise_name(name) for name in ("publishedAt", "Published at", "PUBLISHED-AT")] == [
        "published_at"
    ] * 3
    assert [parse_unit(name) for name in ("durationMs", "length_in_seconds", "runtime", "mins")] == [
        "ms",
        "s",
        None,
        "min",
    ]

"""Quote marks in CSV and TSV: a lone one is kept as text or named, and never swallows rows."""

from pathlib import Path

import pytest

from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.source import Format, ReadOptions, SourceError, open_source_files
from tests.raised import raises_code

HEADER = ["id", "title", "year", "genres", "country"]


def read_titles(path: Path, file_format: Format | None = None) -> list[str]:
    with open_source_files(str(path), file_format) as (files, _):
        return [row["title"] for rows in read_rows(files[0]) for row in rows.block.records()]


def write_films(path: Path, titles: dict[int, str], count: int = 60, delimiter: str = ",") -> Path:
    """Writes rows with some titles replaced; row n is in line n + 1."""
    rows = [[f"f{n}", titles.get(n, f"Film {n}"), "1999", "Drama", "Norway"] for n in range(1, count + 1)]
    path.write_text("".join(delimiter.join(row) + "\n" for row in [HEADER, *rows]))
    return path


@pytest.mark.parametrize(
    "title", ['"The Lantern', 'The "Lantern" Pier', '"Lantern" Pier', 'Pier 12"', '"Pier"', '"']
)
def test_quote_marks_in_tsv_are_text(tmp_path: Path, title: str) -> None:
    titles = read_titles(write_films(tmp_path / "films.tsv", {20: title, 40: title}, delimiter="\t"))
    assert len(titles) == 60
    assert (titles[19], titles[39]) == (title, title)


def test_a_tsv_with_a_quoted_header_is_read_with_quotes(tmp_path: Path) -> None:
    path = tmp_path / "films.tsv"
    path.write_text('"id"\t"title"\n"f1"\t"One\ttab, two\nlines and a ""mark"""\n')
    assert read_titles(path) == ['One\ttab, two\nlines and a "mark"']


@pytest.mark.parametrize(
    ("titles", "message"),
    [
        ({20: '"The Lantern'}, r"line 21 of .*films\.csv is never closed, so the rest of the file"),
        ({20: '"The Lantern', 40: '"Pier"'}, r"line 21 .* closed in the middle of a value in line 41"),
        ({20: '"The Lantern', 40: 'The "Pier"'}, r"line 21 .* closed in the middle of a value in line 41"),
        ({20: '"The Lantern', 40: 'Pier 12"'}, r"line 21 .* closed only in line 41, so lines 21 to 41"),
        ({60: '"The Lantern'}, r"line 61 .* is never closed"),
    ],
)
def test_a_lone_quote_mark_in_csv_is_refused_with_its_lines(
    tmp_path: Path, titles: dict[int, str], message: str
) -> None:
    with raises_code(SourceError, "invalid_quotes", match=message):
        read_titles(write_films(tmp_path / "films.csv", titles))


def test_a_lone_quote_mark_before_more_than_a_block_is_refused(tmp_path: Path) -> None:
    path = write_films(tmp_path / "films.csv", {30_000: '"The Lantern'}, count=120_000)
    assert path.stat().st_size > 3 << 20
    with raises_code(SourceError, "invalid_quotes"):
        read_titles(path)


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ('"Two\nlines, and more"', "Two\nlines, and more"),
        ('"A ""quoted"" word,\nthen ""another"""', 'A "quoted" word,\nthen "another"'),
        ('"One\n\nTwo, three, four, five,\nsix"', "One\n\nTwo, three, four, five,\nsix"),
        ('""""""', '""'),
        ('Pier 12"', 'Pier 12"'),
        ('The "Lantern" Pier', 'The "Lantern" Pier'),
        ('""', ""),
        ('"' + "A line of prose\n" * 50 + '"', "A line of prose\n" * 50),
    ],
)
def test_valid_quoting_in_csv_is_read(tmp_path: Path, written: str, title: str) -> None:
    titles = read_titles(write_films(tmp_path / "films.csv", {20: written}))
    assert len(titles) == 60
    assert titles[19] == title


def test_a_lone_mark_that_swallows_one_row_of_two_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text('id,title\nf1,One\nf2,"Two\nf3,Three"\nf4,Four\n')
    with raises_code(SourceError, "invalid_quotes"):
        read_titles(path)
    with open_source_files(str(path), None, ReadOptions(quotes="csv")) as (files, _):
        assert sum(rows.row_count for rows in read_rows(files[0])) == 3
    with open_source_files(str(path), None, ReadOptions(quotes="none")) as (files, _):
        assert sum(rows.row_count for rows in read_rows(files[0])) == 4


@pytest.mark.parametrize("title", ['"Lantern" Pier', '"Weird" Al, "Strange" Bob', '"A" "B"'])
def test_marks_that_close_before_the_end_of_a_value_are_text(tmp_path: Path, title: str) -> None:
    path = write_films(tmp_path / "films.csv", {20: title.replace(",", ";"), 30: '"Two\nlines"'})
    titles = read_titles(path)
    assert (len(titles), titles[19], titles[29]) == (60, title.replace(",", ";"), "Two\nlines")


def test_backslashes_before_marks_are_escapes_only_where_doubled_marks_fail(tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    path.write_text('id,title\nf1,"A \\"b\\" c, d"\nf2,\\N\nf3,"back\\\\slash"\n')
    assert read_titles(path) == ['A "b" c, d', "\\N", "back\\slash"]
    path.write_text('id,title\nf1,"C:\\films\\"\nf2,Two\n')
    assert read_titles(path) == ["C:\\films\\", "Two"]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_separator_line_of_a_spreadsheet_is_no_header(tmp_path: Path, line: str) -> None:
    path = tmp_path / "films.csv"
    path.write_text(f"{line}\nid;title,full\nf1;One, two\n")
    with open_source_files(str(path), None) as (files, _):
        (rows,) = read_rows(files[0])
    assert (rows.numbers.tolist(), rows.block.records()) == ([1], [{"id": "f1", "title,full": "One, two"}])


def test_a_value_larger_than_a_block_is_read(tmp_path: Path) -> None:
    title = "long, " * 500_000
    assert read_titles(write_films(tmp_path / "films.csv", {20: f'"{title}"'}))[19] == title


@pytest.mark.parametrize("before", ["\n\n", "\r\n", "sep=;\n"])
def test_the_delimiter_is_that_of_the_first_line_that_is_not_blank(tmp_path: Path, before: str) -> None:
    path = tmp_path / "films.csv"
    path.write_text(f"{before}id;title;year\nf1;One, two;1999\nf2;Two;1999\n")
    assert read_titles(path) == ["One, two", "Two"]
    path.write_text(f'{before}id;title;year\nf1;"One;1999\nf2;Two";1999\n')
    with raises_code(SourceError, "invalid_quotes"):
        read_titles(path)

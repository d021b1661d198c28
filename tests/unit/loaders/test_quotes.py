"""Quote marks in CSV and TSV: a lone one is kept as text or named, and never swallows rows."""

from pathlib import Path

import pytest

from reelrank.loaders.files.readers import read_rows
from reelrank.loaders.files.source import Format, SourceError, open_source_files

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
    with pytest.raises(SourceError, match=message):
        read_titles(write_films(tmp_path / "films.csv", titles))


def test_a_lone_quote_mark_before_more_than_a_block_is_refused(tmp_path: Path) -> None:
    path = write_films(tmp_path / "films.csv", {30_000: '"The Lantern'}, count=120_000)
    assert path.stat().st_size > 3 << 20
    with pytest.raises(SourceError, match=r"line 30001 .* is never closed"):
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

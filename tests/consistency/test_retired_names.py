"""Names that were given up for the field's terms do not come back: see retired_names.txt for the list."""

from pathlib import Path

import pytest

from tests.consistency.retired_names import (
    Retired,
    find_hits,
    find_names,
    find_phrases,
    list_code_files,
    list_prose_files,
    read_list,
)

ENTRIES = read_list()
OLD_CODE = '''
"""Drawn by
lot."""
class DeedLog:
    def tell(self, moment): ...
# it was mended, see app/search/crowd.py
'''


def test_no_retired_name_is_in_use() -> None:
    assert len(list_code_files()) > 200
    assert len(list_prose_files()) > 30
    assert [str(hit) for hit in find_hits(ENTRIES)] == []


def test_an_entry_is_listed_once() -> None:
    keys = [(entry.kind, entry.old.lower()) for entry in ENTRIES]
    assert [key for key in keys if keys.count(key) > 1] == []


def test_a_line_that_is_no_entry_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("phrase by lot, at random\n")
    with pytest.raises(ValueError, match=r"list\.txt:1"):
        read_list(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("kind", "old", "line"),
    [
        ("part", "deed", 4),
        ("name", "moment", 5),
        ("qualified", "DeedLog.tell", 5),
        ("qualified", "tell.moment", 5),
        ("phrase", "drawn by lot", 2),
        ("phrase", "mended", 6),
        ("module", "app.search.crowd", 6),
    ],
)
def test_each_kind_of_entry_finds_its_name(tmp_path: Path, kind: str, old: str, line: int) -> None:
    path = tmp_path / "old_code.py"
    path.write_text(OLD_CODE)
    entry = Retired(kind, old, "something else")
    hits = find_names(path, [entry]) if kind in {"part", "name", "qualified"} else find_phrases(path, [entry])
    assert [hit.line for hit in hits] == [line]


@pytest.mark.parametrize(("kind", "old"), [("part", "dee"), ("name", "Deed"), ("qualified", "Log.tell")])
def test_a_name_is_compared_whole(tmp_path: Path, kind: str, old: str) -> None:
    path = tmp_path / "old_code.py"
    path.write_text(OLD_CODE)
    assert list(find_names(path, [Retired(kind, old, "something else")])) == []


@pytest.mark.parametrize("phrase", ["by lo", "mend", "rawn by lot"])
def test_a_phrase_matches_whole_words(tmp_path: Path, phrase: str) -> None:
    path = tmp_path / "old_code.py"
    path.write_text(OLD_CODE)
    assert list(find_phrases(path, [Retired("phrase", phrase, "something else")])) == []

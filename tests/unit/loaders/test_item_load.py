"""Loads of catalogue files: refusals change nothing, stopped loads resume, learned fields are preserved."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import pytest

from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.encoder import WordLlamaEncoder
from reelrank.index_mappings.engine import VectorMatch, WriteReport
from reelrank.index_mappings.errors import Conflict, Unavailable
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.loaders.fields.field_map import FieldRules, parse_field_pairs
from reelrank.loaders.files.source import SourceError, open_source_files
from reelrank.loaders.items.catalogue import LoadOptions, LoadRejected
from reelrank.loaders.items.column_names import ITEM_FIELDS
from reelrank.loaders.items.item_files import check_item_files, load_item_files
from reelrank.loaders.items.item_writer import ItemLoad
from reelrank.loaders.items.journal import Journal
from reelrank.loaders.report import FileReport
from tests.raised import raises_code

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OPTIONS = LoadOptions(created_at=NOW)
ENCODER = WordLlamaEncoder()


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine(tmp_path / "engine")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "loads")


def open_load(path: Path, lines: Sequence[str]) -> ItemLoad:
    path.write_text("\n".join(["id,title,genres,runtime_min", *lines]))
    with open_source_files(str(path), None) as (files, _):
        return ItemLoad(files, FieldRules(ITEM_FIELDS), path.parent / "rejects.jsonl", OPTIONS)


def build_film_lines(count: int, first: int = 0) -> list[str]:
    return [f"f{n},Film {n},Drama|Sea,90" for n in range(first, first + count)]


def read_rejects(load: ItemLoad) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in load.rejects.read_bytes().splitlines()]


def test_rows_become_items_and_the_counts_add_up(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal
) -> None:
    load = open_load(tmp_path / "films.csv", [*build_film_lines(30), "f30,,Drama,90", "f0,Again,Drama,90"])
    report = load_item_files(load, engine, ENCODER, journal)
    assert (report.read, report.written, report.rejected, report.kept) == (32, 31, 1, 30)
    assert engine.fetch(["f0", "f7"], 1.0) == [
        Item("f0", "Again", genres=("Drama",), duration_s=5400),
        Item("f7", "Film 7", genres=("Drama", "Sea"), duration_s=5400),
    ]
    row = {"id": "f30", "title": "", "genres": "Drama", "runtime_min": "90"}
    reason = "title is missing; every item needs a title"
    assert read_rejects(load) == [
        {"file": str(tmp_path / "films.csv"), "row": 31, "reason": reason, "record": row}
    ]


def test_a_dry_run_counts_repeated_ids_as_the_load_does(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal
) -> None:
    lines = [*build_film_lines(3000), *build_film_lines(40, 2990), ",No id,Drama,90", "f1,,Drama,90"]
    load = open_load(tmp_path / "films.csv", lines)
    checked, loaded = check_item_files(load), load_item_files(load, engine, ENCODER, journal)
    assert (checked.written, checked.kept) == (loaded.written, loaded.kept) == (3040, 3030)


def test_a_title_of_invisible_marks_is_missing(tmp_path: Path) -> None:
    load = open_load(tmp_path / "films.csv", [*build_film_lines(30), "x,\u200b\u00ad,Drama,90"])
    assert check_item_files(load).rejected == 1
    assert read_rejects(load)[0]["reason"] == "title is missing; every item needs a title"


def test_a_report_whose_counts_do_not_add_up_raises() -> None:
    with pytest.raises(AssertionError, match="do not add up: 3 read, 1 written, 1 rejected"):
        FileReport(3, 1, 1, 1, 0.0)


def test_too_many_rejects_leave_only_the_old_version(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal
) -> None:
    old = load_item_files(open_load(tmp_path / "old.csv", build_film_lines(3)), engine, ENCODER, journal)
    bad = open_load(tmp_path / "bad.csv", [*build_film_lines(9), ",Film,,"])
    with raises_code(LoadRejected, "too_many_rejects", match=r"1 of 10 rows .* row 10: id is missing"):
        load_item_files(bad, engine, ENCODER, journal)
    assert [v.name for v in engine.versions()] == [old.version]
    assert journal.read_entry() is None
    allowed = replace(bad, options=replace(OPTIONS, max_reject_share=0.1))
    assert load_item_files(allowed, engine, ENCODER, journal).written == 9


def test_a_dry_run_writes_only_the_reject_file(tmp_path: Path, engine: EmbeddedEngine) -> None:
    load = open_load(tmp_path / "films.csv", [*build_film_lines(30), "f30,,Drama,90"])
    report = check_item_files(load)
    assert (report.read, report.written, report.rejected) == (31, 30, 1)
    assert [reject["row"] for reject in read_rejects(load)] == [31]
    assert engine.versions() == []


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_an_unreadable_optional_value_is_left_out_and_counted(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal, is_dry_run: bool
) -> None:
    lines = [*build_film_lines(3), "f3,Film,Drama,2 Seasons", "f4,Film,Drama,N/A", "f5,Film,Drama,long"]
    load = open_load(tmp_path / "films.csv", lines)
    report = check_item_files(load) if is_dry_run else load_item_files(load, engine, ENCODER, journal)
    assert (report.read, report.written, report.rejected, report.rejects) == (6, 6, 0, None)
    assert set(report.ignored) == {"duration_s"}
    counts = report.ignored["duration_s"]
    assert (counts.readable, counts.ignored) == (3, 2)
    assert counts.first_ignored.startswith("row 4: '2 Seasons' is not a duration")
    if not is_dry_run:
        assert engine.fetch(["f3"], 1.0) == [Item("f3", "Film", genres=("Drama",))]


def test_a_small_file_without_a_readable_value_of_a_field_is_loaded(tmp_path: Path) -> None:
    load = open_load(tmp_path / "films.csv", [f"g{n},Film,Drama,{n} Seasons" for n in range(12)])
    report = check_item_files(load)
    assert (report.written, report.ignored["duration_s"].ignored) == (12, 12)


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_a_field_with_mostly_unreadable_values_refuses_the_load(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal, is_dry_run: bool
) -> None:
    lines = [*build_film_lines(2), *(f"g{n},Film,Drama,{n} Seasons" for n in range(30))]
    load = open_load(tmp_path / "films.csv", lines)
    with raises_code(LoadRejected, "unreadable_values", match=r"30 of 32 .*_s .* row 3: '0 Seasons'"):
        check_item_files(load) if is_dry_run else load_item_files(load, engine, ENCODER, journal)
    assert engine.versions() == []


def test_a_resumed_load_counts_the_values_of_both_runs(tmp_path: Path, journal: Journal) -> None:
    lines = build_film_lines(3500)
    lines[10] = lines[3400] = "f1,Film,Drama,long"
    load = open_load(tmp_path / "films.csv", lines)
    stopped = StoppingEngine(tmp_path / "engine")
    with pytest.raises(Unavailable):
        load_item_files(load, stopped, ENCODER, journal)
    report = load_item_files(load, reopen_engine(stopped), ENCODER, journal)
    assert report.resumed == 2000
    assert (report.ignored["duration_s"].readable, report.ignored["duration_s"].ignored) == (3498, 2)
    assert report.ignored["duration_s"].first_ignored.startswith("row 11: ")


class StoppingEngine(EmbeddedEngine):
    """An engine that becomes unavailable after `remaining_calls` writes and promotions."""

    remaining_calls = 2

    def write(self, version: str, batch: Sequence[Document]) -> WriteReport:
        self._count_call()
        return super().write(version, batch)

    def promote(self, version: str) -> None:
        self._count_call()
        super().promote(version)

    def _count_call(self) -> None:
        self.remaining_calls -= 1
        if self.remaining_calls < 0:
            raise Unavailable("the engine is unavailable")


@pytest.mark.parametrize("writes", range(5))
def test_a_stopped_load_resumes_and_writes_no_row_twice(
    tmp_path: Path, journal: Journal, writes: int
) -> None:
    lines = build_film_lines(3500)
    lines[1200] = lines[3400] = "f1,,,"
    load = open_load(tmp_path / "films.csv", lines)
    stopped = StoppingEngine(tmp_path / "engine")
    stopped.remaining_calls = writes
    with pytest.raises(Unavailable):
        load_item_files(load, stopped, ENCODER, journal)
    assert stopped.serving_version() is None
    engine = EmbeddedEngine(tmp_path / "engine")
    report = load_item_files(load, engine, ENCODER, journal)
    assert report.resumed == min(1000 * writes, 3500)
    assert (report.read, report.written, report.rejected, report.kept) == (3500, 3498, 2, 3498)
    assert [reject["row"] for reject in read_rejects(load)] == [1201, 3401]
    assert len(engine.versions()) == 1


def test_a_load_of_another_file_drops_the_unfinished_version(tmp_path: Path, journal: Journal) -> None:
    stopped = StoppingEngine(tmp_path / "engine")
    with pytest.raises(Unavailable):
        load_item_files(open_load(tmp_path / "films.csv", build_film_lines(3500)), stopped, ENCODER, journal)
    report = load_item_files(
        open_load(tmp_path / "others.csv", build_film_lines(5)), reopen_engine(stopped), ENCODER, journal
    )
    assert (report.resumed, report.kept) == (0, 5)
    assert [v.name for v in EmbeddedEngine(tmp_path / "engine").versions()] == [report.version]


def reopen_engine(stopped: EmbeddedEngine) -> EmbeddedEngine:
    return EmbeddedEngine(stopped.directory)


def test_a_second_load_at_the_same_time_is_refused(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal
) -> None:
    load = open_load(tmp_path / "films.csv", build_film_lines(3))
    with journal.lock(), raises_code(Conflict, "job_running"):
        load_item_files(load, engine, ENCODER, Journal(journal.path.parent))


def test_learned_fields_of_remaining_items_are_preserved(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal
) -> None:
    unit = np.eye(1, 64, dtype=np.float32)[0]
    engine.create_index("items-0")
    engine.write("items-0", [Document(Item("f1", "Old"), {"factors": unit}, (Neighbour("gone", 1.0),))])
    engine.promote("items-0")
    report = load_item_files(open_load(tmp_path / "films.csv", build_film_lines(3)), engine, ENCODER, journal)
    documents = {d.item.id: d for batch in engine.scan(report.version) for d in batch}
    np.testing.assert_array_equal(documents["f1"].vectors["factors"], unit)
    assert (documents["f1"].item.title, documents["f1"].neighbours) == ("Film 1", (Neighbour("gone", 1.0),))
    assert set(documents["f2"].vectors) == {"text"}
    assert engine.match_vector(VectorMatch("mf", "factors", unit, 5), 1.0).ids.tolist() == [b"f1"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("id,name2,kind", "column_not_found"),
        ("id,title,length,kind", "duration_unit_missing"),
        ("id,title", "column_not_found"),
    ],
)
def test_unusable_columns_are_refused_before_anything_is_written(
    tmp_path: Path, engine: EmbeddedEngine, header: str, code: str
) -> None:
    rules, journal = FieldRules(ITEM_FIELDS, parse_field_pairs(["genres=kind"])), Journal(tmp_path / "loads")
    (tmp_path / "films.csv").write_text(f"{header}\n{','.join('1' for _ in header.split(','))}\n")
    load = replace(open_load(tmp_path / "other.csv", build_film_lines(1)), rules=rules)
    with (
        open_source_files(str(tmp_path / "films.csv"), None) as (files, _),
        raises_code(SourceError, code),
    ):
        load_item_files(replace(load, files=files), engine, ENCODER, journal)
    assert engine.versions() == []


def test_json_rows_may_differ_in_names_and_types(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal
) -> None:
    path = tmp_path / "films.jsonl"
    path.write_text(
        '{"id": 1, "title": "One", "genres": ["Drama", "Sea"], "duration": "90 min"}\n\n'
        '{"id": "two", "title": "Two", "genres": "Sea", "duration": null, "cast": [{"name": "Ann Lee"}]}\n'
        '{"id": {"no": "id"}, "title": "Three"}\n'
    )
    with open_source_files(str(path), None) as (files, _):
        load = ItemLoad(
            files, FieldRules(ITEM_FIELDS), tmp_path / "rejects.jsonl", replace(OPTIONS, max_reject_share=0.5)
        )
    report = load_item_files(load, engine, ENCODER, journal)
    assert (report.read, report.written, report.rejected) == (3, 2, 1)
    assert engine.fetch(["1", "two"], 1.0) == [
        Item("1", "One", genres=("Drama", "Sea"), duration_s=5400),
        Item("two", "Two", genres=("Sea",), people=("Ann Lee",)),
    ]
    assert read_rejects(load)[0]["row"] == 4


def test_progress_counts_rows_and_its_total_ends_exact(
    tmp_path: Path, engine: EmbeddedEngine, journal: Journal
) -> None:
    steps: list[tuple[str, int, int | None]] = []
    load = open_load(tmp_path / "films.csv", build_film_lines(2500))
    load_item_files(load, engine, ENCODER, journal, lambda *step: steps.append(step))
    assert steps[-1] == ("loading items", 2500, 2500)
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)


def test_an_empty_catalogue_is_refused(tmp_path: Path, engine: EmbeddedEngine, journal: Journal) -> None:
    with raises_code(LoadRejected, "no_rows"):
        load_item_files(open_load(tmp_path / "films.csv", []), engine, ENCODER, journal)


@pytest.fixture(autouse=True)
def close_engine(engine: EmbeddedEngine) -> Iterator[None]:
    yield
    engine.close()

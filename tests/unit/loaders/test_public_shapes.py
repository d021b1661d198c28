"""Twelve public files as small look-alikes with invented values: each is loaded with the stated options."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from reelrank.app.cli.main import app
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container

FILES = Path(__file__).with_name("public_shapes")


@dataclass(frozen=True)
class Shape:
    """A file, the options that load it, and fields of its items as they are stored.

    unread: fields with values that cannot be read.
    """

    name: str
    options: str
    items: list[dict[str, Any]]
    unread: tuple[str, ...] = ()


SHAPES = {
    "TMDB": Shape(
        "tmdb_5000_movies.csv",
        "--duration-unit min",
        [
            {
                "id": "101",
                "title": "The Pier",
                "genres": ("Drama", "Mystery"),
                "duration_s": 5520,
                "tags": ("harbour", "lost ship"),
                "countries": ("Norway", "Iceland"),
                "languages": ("no",),
                "description": "A sailor, home at last, counts the boats.",
                "year": 1999,
            },
            {"id": "102", "title": "Fog", "genres": (), "countries": (), "year": None, "duration_s": None},
        ],
    ),
    "IMDB 5000": Shape(
        "movie_metadata.csv",
        "--map id=movie_imdb_link --map people=director_name --map people=actor_1_name "
        "--map tags=plot_keywords --duration-unit min",
        [
            {
                "title": "Harbour War",
                "source_id": "",
                "people": ("Ann Lee", "Bob Ray"),
                "year": 2009,
                "id": "http://films.example/title/zz01/?ref_=fn",
                "genres": ("Action", "Adventure", "Sea"),
                "tags": ("harbour", "lost ship", "war at sea"),
                "duration_s": 10680,
            },
            {"title": "Fog", "tags": (), "year": None, "duration_s": None, "countries": ("France",)},
        ],
    ),
    "IMDb TSV": Shape(
        "title.basics.tsv",
        "",
        [
            {"id": "zz0001", "title": '"Quay" One', "year": 1894, "genres": ("Documentary", "Short")},
            {"id": "zz0002", "title": '"Fog', "year": None, "genres": (), "duration_s": None},
            {"id": "zz0003", "title": "None", "year": 2004, "duration_s": 6000},
        ],
    ),
    "Netflix titles": Shape(
        "netflix_titles.csv",
        "",
        [
            {
                "id": "s1",
                "people": ("Ann Lee", "Bob Ray", "Cy Roe"),
                "countries": ("Norway", "Iceland"),
                "genres": ("Dramas", "International Movies"),
                "duration_s": 5580,
                "year": 2016,
                "description": 'A "quiet" film, and a boat.',
            },
            {"id": "s2", "people": (), "countries": (), "duration_s": None, "year": 2019},
        ],
        ("duration_s",),
    ),
    "TED talks": Shape(
        "ted_main.csv",
        "--map id=url --map published_at=film_date --map languages= --duration-unit s",
        [
            {
                "title": "Do harbours sleep?",
                "people": ("Ann Lee",),
                "duration_s": 1164,
                "year": 2006,
                "tags": ("harbour", "sleep", "sailor's"),
                "languages": (),
                "source_id": "https://www.talks.example/talks/ann_lee_says_that_harbours_never_sleep_at_night",
            },
        ],
    ),
    "MovieLens": Shape(
        "ml-latest-small.zip",
        "--member movies.csv",
        [
            {"id": "1", "title": "Boat Story", "year": 1995, "genres": ("Adventure", "Children", "Comedy")},
            {"id": "2", "title": "The Quay", "year": 1999},
            {"id": "3", "title": "The City of Lost Boats (La Cit\u00e9 des bateaux perdus)"},
            {"id": "4", "title": "Seven (a.k.a. 7)", "genres": ()},
            {"id": "5", "title": "Babylon 5", "year": None},
            {"id": "6", "title": "L'Argent", "year": 1983},
        ],
    ),
    "anime list": Shape(
        "anime.csv",
        "",
        [
            {
                "title": "Harbour's End\u00b0",
                "genres": ("Comedy", "Drama", "School", "Slice of Life"),
                "year": 1998,
                "duration_s": 1440,
            },
            {"title": "Fog & Sea", "genres": ("Action", "Sci-Fi"), "year": 2001, "duration_s": 6360},
            {"title": "Pier", "genres": (), "year": None, "duration_s": None},
        ],
        ("published_at", "duration_s"),
    ),
    "YouTube trending": Shape(
        "USvideos.csv",
        "",
        [
            {
                "id": "a_-1",
                "title": 'WE MADE A "BOAT"',
                "tags": ("boat", "sea songs", "old harbour"),
                "year": 2017,
                "people": ("Harbour TV",),
                "thumbnail": "https://img.example/a.jpg",
            },
            {"id": "b-_2", "tags": (), "description": ""},
        ],
    ),
    "Vega movies": Shape(
        "movies.json",
        "--id-from Title",
        [
            {"title": "The Quay", "year": 1998, "duration_s": None, "people": ()},
            {"title": "1776", "year": 1972, "people": ("Ann Lee",), "genres": ("Drama",), "duration_s": 8460},
        ],
    ),
    "Wikipedia movies": Shape(
        "movies-1990s.json",
        "--id-from title,year --map description=extract",
        [
            {"title": "After Dark in the Harbour", "year": 1900, "people": (), "description": ""},
            {
                "title": "The Quay",
                "people": ("Ann Lee", "Bob Ray"),
                "genres": ("Drama", "Sea"),
                "description": "The Quay is a film.",
                "thumbnail": "https://img.example/q.jpg",
            },
        ],
    ),
    "elasticdump": Shape(
        "films.json",
        "",
        [
            {"id": "e1", "title": "The Quay", "genres": ("Drama",), "year": 2006},
            {"id": "e2", "title": "Fog", "genres": ("Sea",), "year": 1972},
        ],
    ),
}


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files; those of MovieLens are in an archive."""
    for path in FILES.iterdir():
        shutil.copy(path, tmp_path)
    with zipfile.ZipFile(tmp_path / "ml-latest-small.zip", "w") as archive:
        archive.write(FILES / "movies.csv", "ml-latest-small/movies.csv")
        archive.writestr("ml-latest-small/ratings.csv", "userId,movieId,rating,timestamp\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REELRANK_DATA_DIR", str(tmp_path / "data"))


def load(command: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*command.split(), "--json"])
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


@pytest.mark.parametrize("name", SHAPES)
def test_a_public_catalogue_is_stored_as_it_is(name: str) -> None:
    shape = SHAPES[name]
    report = load(f"load items {shape.name} {shape.options}")
    assert (report["read"], report["written"], report["kept"]) == (len(shape.items),) * 3
    assert tuple(report["ignored"]) == shape.unread
    container = build_container(Settings())
    version = container.engine.serving_version()
    assert version is not None
    stored = {d.item.title: d.item for batch in container.engine.scan(version) for d in batch}
    by_id = {item.id: item for item in stored.values()}
    for expected in shape.items:
        item = stored[expected["title"]] if "title" in expected else by_id[expected["id"]]
        assert {field: getattr(item, field) for field in expected} == expected


def test_a_ubi_log_is_read_for_what_it_has() -> None:
    report = load("load events ubi_events.ndjson")
    assert (report["read"], report["written"], report["rejected"]) == (3, 2, 1)
    assert report["unknown_actions"] == {"add_to_cart": 1}
    assert report["ignored"]["ordinal"]["ignored"] == 1
    events = build_container(Settings()).events
    assert [(e.kind, e.item) for e in events.recent("c", 5, 1.0)] == [("click", "e2")]
    assert [(e.kind, e.watched_ms, e.position) for e in events.recent("ada", 5, 1.0)] == [("watch", 60000, 0)]


COLUMN_CHECKS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "TMDB": lambda fields: fields["genres"]["values"]["samples"] == [["Drama", "Mystery"]],
    "MovieLens": lambda fields: fields["published_at"]["guess"] == "year at the end of the title",
    "elasticdump": lambda fields: fields["published_at"]["guess"] == "milliseconds since 1970",
    "Netflix titles": lambda fields: fields["duration_s"]["values"]["ignored"] == 1,
}


@pytest.mark.parametrize("name", COLUMN_CHECKS)
def test_the_report_of_a_dry_run_says_what_would_be_stored(name: str) -> None:
    shape = SHAPES[name]
    report = load(f"load items {shape.name} {shape.options} --dry-run --report report.json")
    assert json.loads(Path("report.json").read_text()) == report
    assert COLUMN_CHECKS[name](report["fields"])

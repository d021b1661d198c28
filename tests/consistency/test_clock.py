"""Wall time comes from the clock alone, so that a simulated one reaches everything."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "loaders", "ranking", "index_mappings")
WALL_TIME = {
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
}  # fmt: skip
ALLOWED = {
    "app/clock.py": "it is the clock",
    "ranking/durable.py": "ages of files, which the file system stamps with the time of the machine",
}


def find_wall_time(source: str) -> list[str]:
    """Uses of wall time, such as `time.time`, also of names that were imported from those modules."""
    tree = ast.parse(source)
    direct = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "time"
        for alias in node.names
        if f"time.{alias.name}" in WALL_TIME
    }
    attributes = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in direct]
    return [text for text in attributes if ".".join(text.split(".")[-2:]) in WALL_TIME] + names


@pytest.mark.parametrize("package", PACKAGES)
def test_only_the_clock_reads_wall_time(package: str) -> None:
    used = {
        str(path.relative_to(ROOT)): found
        for path in (ROOT / package).rglob("*.py")
        if (found := find_wall_time(path.read_text()))
    }
    assert {path: found for path, found in used.items() if path not in ALLOWED} == {}


def test_every_exception_still_reads_wall_time() -> None:
    assert [path for path in ALLOWED if not find_wall_time((ROOT / path).read_text())] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "from time import time as wall\nwall()",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "import datetime\nf = datetime.datetime.now",
        "from datetime import date\ndate.today()",
    ],
)
def test_each_way_to_read_wall_time_is_found(source: str) -> None:
    assert find_wall_time(source)

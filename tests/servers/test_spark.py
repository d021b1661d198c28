"""Spark in local mode: the contract of places to compute, and attribution by Spark SQL.

pyspark is 490 MB, so it is no dependency for development: it is installed once into a folder of its own,
`${SERVER_CACHE:-~/.cache/reelrank-servers}/pyspark-<version>`, and runs on the JDK 17 of this machine.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reelrank.app.capacity.made_up_pages import DAY
from reelrank.app.compute.backend import Compute, ComputeOptions, Place, open_compute
from reelrank.app.compute.logged_rows import LoggedRowOpener
from reelrank.loaders.lake.attribution import DatePart, attribute_part
from reelrank.loaders.lake.reader import open_lake
from reelrank.ranking.labels.attribution import ATTRIBUTION_SCHEMA, AttributionRules
from tests.contract.compute import ComputeContract, write_lake

pytestmark = pytest.mark.servers

PYSPARK = "4.1.4"
CACHE = Path(os.environ.get("SERVER_CACHE", "~/.cache/reelrank-servers")).expanduser()
AS_OF_MS = 2**62
PAGE = Path(__file__).parents[2] / "docs" / "data.md"
EXAMPLES = dict(re.findall(r"<!-- tested: (\w+) -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL))


def find_java_home() -> str | None:
    """Returns JAVA17_HOME, else an installed JDK 17."""
    if named := os.environ.get("JAVA17_HOME"):
        return named
    releases = sorted(Path("/usr/lib/jvm").glob("*/release"))
    found = [file.parent for file in releases if 'JAVA_VERSION="17' in file.read_text()]
    return str(found[0]) if found else None


def install_pyspark() -> Path:
    """Installs pyspark once, under a lock, and returns its folder."""
    from filelock import FileLock

    target = CACHE / f"pyspark-{PYSPARK}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not (target / "ready").exists():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target)]
            subprocess.run([*pip, f"pyspark=={PYSPARK}"], check=True)
            (target / "ready").touch()
    return target


@pytest.fixture(scope="module")
def compute() -> Iterator[Compute]:
    java_home = find_java_home()
    if java_home is None:
        if os.environ.get("REQUIRE_ENGINES") == "1":
            pytest.fail("Spark is required: no JDK 17 found; set JAVA17_HOME")
        pytest.skip("no JDK 17 found; set JAVA17_HOME")
    folder = str(install_pyspark())
    paths = os.pathsep.join([folder, str(Path(__file__).parents[2])])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_HOME", java_home)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYTHONPATH", paths)
        patch.syspath_prepend(folder)
        with open_compute(ComputeOptions(Place.SPARK, workers=2)) as opened:
            yield opened


@pytest.fixture(scope="module")
def opener(tmp_path_factory: pytest.TempPathFactory) -> LoggedRowOpener:
    return write_lake(tmp_path_factory.mktemp("spark"))


class TestSpark(ComputeContract):
    pass


def test_spark_sql_attributes_as_duckdb_does(compute: Any, opener: LoggedRowOpener) -> None:
    lake, day, rules = open_lake(opener.lake_url), DAY + timedelta(days=1), AttributionRules()
    found = compute.attribute(lake, day, AS_OF_MS, rules).toArrow().cast(ATTRIBUTION_SCHEMA)
    with attribute_part(lake, DatePart(day), AS_OF_MS) as batches:
        expected = pa.Table.from_batches(batches, ATTRIBUTION_SCHEMA)
    assert found.num_rows > 500
    assert sum(found["played"].to_pylist()) > 2
    assert set(found["action_kinds"].to_pylist()) == {"", "click watch"}
    assert found.equals(expected)


def test_the_example_of_the_docs_answers_as_duckdb_does(compute: Any, opener: LoggedRowOpener) -> None:
    names: dict[str, Any] = {"spark": compute.session}
    days = (
        f"{DAY:datetime(%Y, %-m, %-d, tzinfo=UTC)}",
        f"{DAY + timedelta(days=1):datetime(%Y, %-m, %-d, tzinfo=UTC)}",
    )
    files = EXAMPLES["files"].replace("reelrank-data/lake", opener.lake_url)
    for stated, day in zip(re.findall(r"datetime\(2026.*?\)", files), days, strict=True):
        files = files.replace(stated, day)
    exec(files, names)
    exec(EXAMPLES["spark"], names)
    found = [tuple(row) for row in names["answer"]]
    exec(EXAMPLES["duckdb"], names)
    assert found == names["answer"]
    assert found[0][1] > found[0][2] > 0

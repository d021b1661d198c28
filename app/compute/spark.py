"""Computes on Spark: partitions are tasks of the cluster, and the sample is trained on in the driver."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from reelrank.app.compute.backend import Compute, Partition, RankerTask, Result
from reelrank.app.compute.local import LocalCompute
from reelrank.index_mappings.decision import CANDIDATES, EVENTS, REQUESTS
from reelrank.index_mappings.errors import Unavailable
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.labels.attribution import AttributionRules, AttributionSpan
from reelrank.ranking.labels.attribution_sql import build_attribution_sql
from reelrank.ranking.progress import Progress
from reelrank.ranking.training.lambdarank import TrainingResult

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SparkCompute:
    session: SparkSession

    def count_workers(self) -> int:
        return max(int(self.session.sparkContext.defaultParallelism), 1)

    def map_partitions(
        self, task: Callable[[Partition], Result], partitions: Sequence[Partition]
    ) -> Iterator[Result]:
        """Computes all partitions at once, and fetches their results one by one."""
        if not partitions:
            return
        spread = self.session.sparkContext.parallelize(list(partitions), len(partitions))
        results = spread.map(task).persist(StorageLevel.DISK_ONLY)
        try:
            results.count()
            yield from results.toLocalIterator()
        finally:
            results.unpersist()

    def train_ranker(self, task: RankerTask, progress: Progress) -> TrainingResult:
        return LocalCompute().train_ranker(task, progress)

    def attribute(self, lake: Lake, day: date, as_of_ms: int, rules: AttributionRules) -> DataFrame:
        """Returns ATTRIBUTION_SCHEMA for the pages of one date, by the query that DuckDB runs, too.

        Raises Unavailable for a date without requests, candidates or events.
        """
        begin = datetime.combine(day, time(), UTC)
        until = begin + DAY + timedelta(milliseconds=rules.look_ahead_ms)
        since = {EVENTS: begin - timedelta(milliseconds=rules.look_back_ms)}
        for table in (REQUESTS, CANDIDATES, EVENTS):
            urls = lake.list_urls(table, since.get(table, begin), until)
            if not urls:
                raise Unavailable(f"the lake has no {table} on {day}", code="compute_failed")
            self.session.read.parquet(*urls).createOrReplaceTempView(table)
        first, last = (round(at.timestamp() * 1000) for at in (begin, begin + DAY))
        return self.session.sql(build_attribution_sql(AttributionSpan(first, last, as_of_ms), rules))


@contextmanager
def open_spark(workers: int, master: str) -> Iterator[Compute]:
    """Opens a session on a master, or on `workers` threads here. Raises Unavailable without Java.

    Settings of a cluster come from spark-submit or SPARK_CONF_DIR, as for any other application.
    """
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise Unavailable("Spark needs Java 17 or later: install it, or set JAVA_HOME", code="java_not_found")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.Builder().appName("reelrank").config("spark.ui.showConsoleProgress", "false")
    if master or "SPARK_MASTER" not in os.environ:
        builder = builder.master(master or f"local[{workers}]").config("spark.ui.enabled", "false")
    if not master:
        builder = builder.config("spark.sql.shuffle.partitions", str(2 * workers))  # 200 are for clusters
    session = builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield SparkCompute(session)
    finally:
        session.stop()

"""Histograms of what was shown, kept for each partition of the lake, so that any spans can be compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from reelrank.index_mappings.decision import name_signal_column
from reelrank.index_mappings.errors import BadRequest
from reelrank.loaders.lake.reader import Lake, Partition
from reelrank.ranking.arrow_columns import to_array
from reelrank.ranking.drift.histograms import (
    Profile,
    add_profiles,
    count_column,
    count_features,
    read_profile,
    write_profile,
)
from reelrank.ranking.durable import replace_file
from reelrank.ranking.features.compute import FEATURE_NAMES, compute_features
from reelrank.ranking.features.fingerprint import compute_feature_fingerprint
from reelrank.ranking.rankers.lambdarank import Ranker
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training.logged_rows import list_signals

SCORED_ROWS = 2_000
"""Shown items of a partition that are scored, at most: a month of hours is 1.3 million, about 10 s."""
SCORE = "score"


@dataclass(frozen=True, slots=True)
class KeptProfiles:
    """The profiles of a lake. directory: where they are kept until other files of the lake count."""

    lake: Lake
    directory: Path

    def count_features(self, partition: Partition) -> Profile:
        """Returns the histograms of the features of shown items; they are read once for all features."""

        def count() -> Profile:
            parts = [
                Profile(count_features(features, FEATURE_NAMES), rows=len(features))
                for features in self._read_features(partition)
            ]
            return add_profiles(parts) if parts else Profile({})

        return self.keep(partition, compute_feature_fingerprint(FEATURE_NAMES), count)

    def count_scores(self, partition: Partition, ranker: Ranker) -> Profile:
        """Returns the histogram of a model's scores for the first SCORED_ROWS shown items: the lake is sorted
        by random ids, so they are a sample. They count for all that were shown."""
        columns = [FEATURE_NAMES.index(name) for name in ranker.feature_names]

        def count() -> Profile:
            scores, shown = list[NDArray[np.float32]](), 0
            for features in self._read_features(partition):
                left = SCORED_ROWS - sum(map(len, scores))
                scores.append(ranker.score(np.ascontiguousarray(features[:left, columns])))
                shown += len(features)
            if not shown:
                return Profile({})
            values = np.concatenate(scores)
            weights = np.full(len(values), shown / len(values))
            return Profile({SCORE: count_column(values, weights)}, rows=shown)

        return self.keep(partition, f"scores-{ranker.name}", count)

    def forget_scores(self, ranker: Ranker) -> None:
        """Removes the scores of all models but this one: a model is compared with itself only."""
        for path in self.directory.glob("*-scores-*.parquet"):
            if not path.name.endswith(f"-scores-{ranker.name}.parquet"):
                path.unlink(missing_ok=True)

    def count_items(self, partition: Partition) -> tuple[list[str], NDArray[np.float64]]:
        """Returns the items that were shown, each once, and how often [n]."""
        path = self._name_file(partition, "items")
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid):
            table = self._count_items(partition)
            self._replace(path, partition, "items", lambda to: pq.write_table(table, to, compression="zstd"))
        return table["item"].to_pylist(), to_array(table["shown"], np.float64)

    def keep(
        self, partition: Partition, kind: str, count: Callable[[], Profile], revision: str = ""
    ) -> Profile:
        """Returns the kept profile of a kind, which is counted when there is none or other files count.

        revision: of what else it was counted from.
        """
        path = self._name_file(partition, kind, revision)
        try:
            return read_profile(path)
        except (OSError, ValueError):
            profile = count()
            self._replace(path, partition, kind, lambda to: write_profile(to, profile))
            return profile

    def _replace(self, path: Path, partition: Partition, kind: str, write: Callable[[Path], None]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as temporary:
            write(temporary)
        for other in self.directory.glob(f"{_name_time(partition)}-*-{kind}.parquet"):
            if other != path:
                other.unlink(missing_ok=True)

    def _name_file(self, partition: Partition, kind: str, revision: str = "") -> Path:
        name = f"{_name_time(partition)}-{partition.revision}{revision}-{kind}.parquet"
        return self.directory / name

    def _count_items(self, partition: Partition) -> pa.Table:
        counts = pa.table({"item": pa.array([], pa.string()), "shown": pa.array([], pa.int64())})
        for batch in self._read_shown(partition, ["item"]):
            counts = pa.concat_tables(
                [counts, pa.table({"item": batch["item"], "shown": np.ones(batch.num_rows, np.int64)})]
            )
        return counts.group_by("item").aggregate([("shown", "sum")]).rename_columns({"shown_sum": "shown"})

    def _read_features(self, partition: Partition) -> Iterator[NDArray[np.float32]]:
        """Yields features [n, F] of shown items; nothing where an earlier build logged other signals."""
        signals = {name: name_signal_column(name) for name in list_signals(FEATURE_NAMES)}
        try:
            for shown in self._read_shown(partition, [*dict.fromkeys(signals.values())]):
                read = {name: to_array(shown[column], np.float32) for name, column in signals.items()}
                yield compute_features(Signals(read), FEATURE_NAMES)
        except BadRequest:
            return

    def _read_shown(self, partition: Partition, columns: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in self.lake.read(partition, ["shown", *columns], partition.begin, partition.end):
            shown = batch.filter(pc.fill_null(batch["shown"], False))
            if shown.num_rows:
                yield shown


def _name_time(partition: Partition) -> str:
    return f"{partition.date}-{'day' if partition.hour is None else f'{partition.hour:02d}'}"

"""Compares the signals of logged pages with those that are observed again for the same requests."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.app.jobs.served.logged_requests import LoggedRequests, read_shown, select_requests
from reelrank.app.jobs.served.replay import RankedAgain, open_serving_index
from reelrank.app.wiring import Container, build_lake_storage
from reelrank.index_mappings.decision import name_signal_column
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.match import encode_item_ids
from reelrank.loaders.lake.reader import Lake
from reelrank.ranking.arrow_columns import to_array
from reelrank.ranking.evaluation.served.skew import ComparedValues, FeatureSkew, describe_skew, measure_skew
from reelrank.ranking.features.compute import FEATURE_NAMES, FEATURES, compute_features
from reelrank.ranking.progress import Progress
from reelrank.ranking.signals.observe import Signals
from reelrank.ranking.training.logged_rows import list_signals

READ_WITHIN_MS = 100
"""A page reads the counters up to so long after the time that it states."""


@dataclass(frozen=True, slots=True)
class SkewOptions:
    """pages: at most so many, of the last days. lag_s: how late impressions and counters may have been.
    tolerance: share of values that may differ."""

    pages: int
    days: float
    lag_s: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class SkewReport:
    """pages: by what they were (a surface, filtered, device). left_out: pages of the span, by reason.

    shown, missing: items that pages showed, and those of them that are no candidates now.
    """

    pages: Mapping[str, int]
    left_out: Mapping[str, int]
    shown: int
    missing: int
    features: list[FeatureSkew]
    tolerance: float

    @property
    def sentences(self) -> list[str]:
        """Returns what is skewed and why; nothing without skew."""
        lines = describe_skew(self.features, self.tolerance)
        if self.missing > self.tolerance * self.shown:
            share = self.missing / self.shown
            lines.append(
                f"{share:.1%} of the shown items are no candidates of their requests now: a source answers "
                "otherwise, or items were removed or changed since the page"
            )
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class _ComparedPage:
    logged: NDArray[np.float32]
    earlier: NDArray[np.float32]
    later: NDArray[np.float32]
    request_id: str
    items: list[str]
    missing: int


def measure_logged_skew(container: Container, options: SkewOptions, progress: Progress) -> SkewReport:
    """Ranks logged requests of the serving version again and compares the features of what they showed.

    Raises NotFound when there is no page to compare.
    """
    serving, lake = open_serving_index(container), Lake(build_lake_storage(container.settings))
    now = container.clock.now()
    span = now - timedelta(days=options.days), now
    requests = select_requests(lake, span, serving.served_by, options.pages)
    if not len(requests.rows):
        raise NotFound(_explain_nothing(requests, options.days), code="no_logged_pages")
    names = [name_signal_column(name) for name in list_signals(FEATURE_NAMES)]
    shown = read_shown(lake, requests, ("item", *names))
    viewers, lag_ms = serving.read_viewers(requests), round(options.lag_s * 1000)
    earlier = serving.replay(requests, lag_ms, viewers, progress)
    later = serving.replay(requests, -READ_WITHIN_MS, viewers, progress)
    pages = [
        _compare_page(*pair, shown[pair[0].row["request_id"]])
        for pair in zip_longest(earlier, later)
        if pair[0].row["request_id"] in shown
    ]
    return _summarize(pages, requests, options.tolerance)


def _compare_page(earlier: RankedAgain, later: RankedAgain, shown: pa.Table) -> _ComparedPage:
    """Compares the items that both rankings have as candidates."""
    ids = encode_item_ids(shown["item"].to_pylist())
    rows = np.stack([_find_candidates(part, ids) for part in (earlier, later)])
    found = np.flatnonzero((rows >= 0).all(axis=0))
    logged = {
        name: to_array(shown[name_signal_column(name)].take(pa.array(found)), np.float32)
        for name in list_signals(FEATURE_NAMES)
    }
    observed_earlier, observed_later = (
        compute_features(part.ranking.signals.take(of_part[found]), FEATURE_NAMES)
        for part, of_part in zip((earlier, later), rows, strict=True)
    )
    items = [ids[row].decode() for row in found]
    features = compute_features(Signals(logged), FEATURE_NAMES)
    return _ComparedPage(
        features, observed_earlier, observed_later, earlier.row["request_id"], items, len(ids) - len(found)
    )


def _find_candidates(again: RankedAgain, ids: NDArray[Any]) -> NDArray[np.intp]:
    """Returns where each id [n] is among the candidates; -1 where it is not."""
    positions = {item: row for row, item in enumerate(again.ranking.found.candidates.ids.tolist())}
    return np.array([positions.get(item, -1) for item in ids.tolist()], np.intp)


def _summarize(pages: list[_ComparedPage], requests: LoggedRequests, tolerance: float) -> SkewReport:
    if not any(page.items for page in pages):
        raise NotFound(
            "no item that a logged page showed is a candidate now, so nothing can be compared; run it on "
            "pages since the last change of the catalogue: reelrank skew --days 0.1",
            code="no_logged_pages",
        )
    values = ComparedValues(
        np.concatenate([page.logged for page in pages]),
        np.concatenate([page.earlier for page in pages]),
        np.concatenate([page.later for page in pages]),
        [page.request_id for page in pages for _ in page.items],
        [item for page in pages for item in page.items],
    )
    missing = sum(page.missing for page in pages)
    shown = len(values.items) + missing
    features = measure_skew(values, {feature.name: feature.group for feature in FEATURES})
    return SkewReport(_count_kinds(requests.rows), requests.left_out, shown, missing, features, tolerance)


def _count_kinds(rows: pa.Table) -> dict[str, int]:
    kinds = Counter(rows["surface"].to_pylist())
    kinds["filtered"] = sum(map(bool, rows["filters"].to_pylist()))
    kinds["with a device"] = sum(map(bool, rows["device"].to_pylist()))
    return dict(kinds)


def _explain_nothing(requests: LoggedRequests, days: float) -> str:
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in requests.left_out.items())
    found = f"has only pages that cannot be ranked again ({left_out})" if left_out else "has no page"
    return (
        f"the lake {found} of the last {days:g} days; `reelrank serve` writes pages a minute after it answers"
    )

"""What each candidate source contributed to served pages, and the file that keeps it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from reelrank.ranking.arrow_columns import find_indices, to_array
from reelrank.ranking.durable import write_file
from reelrank.ranking.items.engagements import to_page_item_keys

FILE_NAME = "served-sources.json"


@dataclass(frozen=True, slots=True)
class SourceShare:
    """Seen items that one source found. only: those that no other source found. used: clicked or played;
    only_used: of `only`. In a search, an item can be found by several sources."""

    source: str
    seen: int
    only: int
    used: int
    only_used: int


@dataclass(frozen=True, slots=True)
class SourceShares:
    """The sources of the pages of some hours. seen, used: items of all sources together."""

    measured_at: AwareDatetime
    hours: float
    seen: int
    used: int
    sources: tuple[SourceShare, ...]


_FORMAT = TypeAdapter(SourceShares)


def count_sources(parts: Iterable[tuple[pa.Table, pa.Table]], sources: Sequence[str]) -> NDArray[np.int64]:
    """Returns counts [sources + 1, 4] as SourceShare has them, the last row of all together.

    parts: candidates with a `rank_<source>` of each source, and the outcomes of the shown ones.
    """
    totals = np.zeros((len(sources) + 1, 4), np.int64)
    for candidates, outcomes in parts:
        rows = find_indices(to_page_item_keys(outcomes), to_page_item_keys(candidates))
        counted = (rows >= 0) & to_array(outcomes["seen"], np.bool_)
        shown = candidates.take(pa.array(rows[counted]))
        used = (to_array(outcomes["played"], np.bool_) | to_array(outcomes["clicked"], np.bool_))[counted]
        found = np.stack([~np.asarray(shown[f"rank_{name}"].is_null()) for name in sources])
        alone = found & (found.sum(axis=0) == 1)
        for column, mask in enumerate((found, alone, found & used, alone & used)):
            totals[:-1, column] += mask.sum(axis=1)
        totals[-1, [0, 2]] += (len(used), used.sum())
    return totals


def write_sources(directory: Path, shares: SourceShares) -> None:
    """Replaces the file of a reports directory."""
    directory.mkdir(parents=True, exist_ok=True)
    write_file(directory / FILE_NAME, _FORMAT.dump_json(shares))


def read_sources(directory: Path) -> SourceShares | None:
    """Reads the file of a reports directory; None without one, or with one of another build."""
    try:
        return _FORMAT.validate_json((directory / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None

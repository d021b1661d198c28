"""Candidate groups in Parquet: one row per candidate of a request, with its signals, in a folder per day."""

import os
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList
from reelrank.ranking.durable import replace_file


def build_group(result_list: ResultList, page: Page) -> pa.RecordBatch:
    """Builds a row per candidate, in ranked order: columns of the request, the item, its score, its signals.

    degraded: the full texts of the page that was shown. propensity, came_from: of explored positions, null
    elsewhere.
    """
    query, n = result_list.query, len(result_list.candidates)
    shared = {
        "request_id": result_list.request_id, "at_ms": query.context.at_ms, "user": query.user or "",
        "kind": query.kind, "text": replace_surrogates(query.text or ""), "model": result_list.model,
        "version": result_list.version, "config_id": result_list.config_id, "release": result_list.release,
        "degraded": ", ".join(map(str, page.degraded)),
    }  # fmt: skip
    columns = {name: pa.repeat(pa.scalar(value), n) for name, value in shared.items()}
    columns["item"] = pa.array([name.decode() for name in result_list.candidates.ids.tolist()], pa.string())
    columns["position"] = pa.array(np.arange(n, dtype=np.int32))
    columns["score"] = pa.array(result_list.scores)
    columns |= _build_exploration_columns(result_list)
    signals = result_list.signals.columns if result_list.signals is not None else {}
    columns |= {f"signal_{name}": pa.array(column) for name, column in signals.items()}
    return pa.RecordBatch.from_pydict(columns)


def replace_surrogates(text: str) -> str:
    """Returns the text with ? for lone surrogates, which JSON can contain and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _build_exploration_columns(result_list: ResultList) -> dict[str, pa.Array]:
    """Builds propensity and ranked position of explored candidates, null elsewhere."""
    n = len(result_list.candidates)
    propensity, came_from = np.zeros(n), np.zeros(n, np.int32)
    for slot in result_list.exploration_slots:
        propensity[slot.position], came_from[slot.position] = slot.propensity or 0.0, slot.ranked_position
    is_ranked = propensity == 0
    return {
        "propensity": pa.array(propensity, mask=is_ranked),
        "came_from": pa.array(came_from, mask=is_ranked),
    }


def write_groups(directory: Path, groups: Sequence[pa.RecordBatch]) -> Path:
    """Writes one file, whole or not at all, in the folder of the day when the first group was shown."""
    name = f"{os.getpid()}-{secrets.token_hex(8)}"
    path = directory / f"date={format_day(groups[0])}" / f"{name}.parquet"
    with replace_file(path) as temporary:
        pq.write_table(pa.Table.from_batches(groups).combine_chunks(), temporary, compression="zstd")
    return path


def format_day(group: pa.RecordBatch) -> str:
    """Returns the day (UTC) of a group's request."""
    return f"{datetime.fromtimestamp(group['at_ms'][0].as_py() / 1000, UTC):%Y-%m-%d}"

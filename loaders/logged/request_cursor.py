"""Keeps two streams that are sorted by request in step."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc


class RequestCursor:
    """Reads a stream that is sorted by `request_id` up to a request, again and again."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        self._batches = iter(batches)
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []

    def read_until(self, request_id: str) -> pa.Table:
        """Returns all rows that were not returned yet, up to those of this request."""
        while not self._waiting or self._waiting[-1]["request_id"][-1].as_py() <= request_id:
            batch = next(self._batches, None)
            if batch is None:
                break
            if batch.num_rows:
                self._waiting.append(batch)
        table = pa.Table.from_batches(self._waiting, self._schema)
        end = pc.sum(pc.less_equal(table["request_id"], request_id)).as_py() or 0
        self._waiting = table.slice(end).to_batches()
        return table.slice(0, end)

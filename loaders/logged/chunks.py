"""Cuts streams that are sorted by request into parts of whole requests, and keeps two of them in step."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc


def cut_by_request(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yields tables of whole requests, of about `rows` rows each, more where one request has more.

    batches: sorted by `request_id`, so that the rows of a request are neighbours.
    """
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(part.num_rows for part in waiting) >= rows:
            table = pa.Table.from_batches(waiting)
            end = _find_last_begin(table)
            if end:
                yield table.slice(0, end)
            waiting = table.slice(end).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


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


def _find_last_begin(table: pa.Table) -> int:
    """Returns the row at which the last request of the table begins."""
    last = table["request_id"][-1]
    return pc.index(table["request_id"], last).as_py()  # type: ignore[no-any-return]

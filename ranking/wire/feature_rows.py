"""Rows of numbers as Arrow IPC bytes, a named column each: what the two roles of the service exchange."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.ranking.wire.arrow_check import Limits, check_stream

MEDIA_TYPE = "application/vnd.apache.arrow.stream"


def to_bytes(rows: NDArray[np.float32], names: Sequence[str]) -> bytes:
    """Rows [n, len(names)]; every bit stays, of NaN too."""
    columns = [pa.array(column) for column in rows.T]
    batch = pa.RecordBatch.from_arrays(columns, list(names))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def from_bytes(body: bytes, names: Sequence[str], limits: Limits) -> NDArray[np.float32]:
    """Rows [n, len(names)] in this order of columns, from bytes that nobody vouches for.

    No buffer is read before all of them are validated. Raises TooLarge past a limit, and ValueError
    for anything else that is not what was asked for.
    """
    try:
        schema = check_stream(body, limits)
        missing = [name for name in names if schema.get_field_index(name) < 0]
        if missing:
            raise ValueError(f"columns are missing or there twice: {', '.join(missing[:5])}")
        with pa.ipc.open_stream(body) as stream:
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise ValueError(f"it is no Arrow IPC stream ({error})") from error
    rows = np.empty((table.num_rows, len(names)), np.float32, order="F")
    for place, name in enumerate(names):
        column = table.column(name)
        if column.null_count:
            raise ValueError(f"column {name} holds nulls; send NaN where a value is missing")
        rows[:, place] = column.to_numpy()
    return rows

"""Feature rows as Arrow IPC bytes with named columns, which the two roles of the service exchange."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reelrank.ranking.wire.arrow_check import Limits, check_stream

MEDIA_TYPE = "application/vnd.apache.arrow.stream"


def to_bytes(rows: NDArray[np.float32], names: Sequence[str]) -> bytes:
    """Encodes rows [n, len(names)] exactly, including the bits of NaN."""
    columns = [pa.array(column) for column in rows.T]
    batch = pa.RecordBatch.from_arrays(columns, list(names))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def from_bytes(body: bytes, names: Sequence[str], limits: Limits) -> NDArray[np.float32]:
    """Decodes untrusted bytes into rows [n, len(names)] with the columns in the order of `names`.

    All buffers are validated before any is read. Raises TooLarge above a limit and ValueError for any
    other invalid body.
    """
    try:
        schema = check_stream(body, limits)
        missing = [name for name in names if schema.get_field_index(name) < 0]
        if missing:
            raise ValueError(f"columns are missing or repeated: {', '.join(missing[:5])}")
        with pa.ipc.open_stream(body) as stream:
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, EOFError) as error:
        raise ValueError(f"the body is not a valid Arrow IPC stream ({error})") from error
    rows = np.empty((table.num_rows, len(names)), np.float32, order="F")
    for index, name in enumerate(names):
        column = table.column(name)
        if column.null_count:
            raise ValueError(f"column {name} has nulls; send NaN for missing values")
        rows[:, index] = column.to_numpy()
    return rows

"""Arrow columns as numpy arrays: values, numbers with NaN for null, texts, and indices in another column."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def to_array(column: pa.Array | pa.ChunkedArray, dtype: type[np.generic]) -> NDArray[Any]:
    """Returns a column [n] in this dtype. Null is NaN in floats; a column of another dtype must have none."""
    return np.asarray(column.to_numpy(zero_copy_only=False)).astype(dtype)


def to_floats(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """Returns numbers [n] as float64, with NaN for null."""
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def to_texts(column: pa.Array | pa.ChunkedArray) -> NDArray[np.str_]:
    """Returns texts [n]. Null is not allowed: it would become the text `None`."""
    return np.array(column.to_pylist(), np.str_)


def find_indices(values: pa.Array | pa.ChunkedArray, known: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Returns where each value [n] is first in `known`; -1 where it is not."""
    return to_array(pc.fill_null(pc.index_in(values, known), -1), np.int64)

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reelrank.ranking.distinct import sort_distinct

DTYPES = st.sampled_from([np.int16, np.int32, np.int64, np.uint64])


@given(DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, st.integers(0, 50))))
def test_distinct_values_are_those_of_numpy(values: np.ndarray) -> None:
    found = sort_distinct(values)

    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, np.unique(values))

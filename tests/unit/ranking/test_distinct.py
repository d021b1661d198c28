import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reelrank.ranking.distinct import sort_distinct, subtract_distinct

DTYPES = st.sampled_from([np.int16, np.int32, np.int64, np.uint64])


@given(DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, st.integers(0, 50))))
def test_distinct_values_are_those_of_numpy(values: np.ndarray) -> None:
    found = sort_distinct(values)

    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, np.unique(values))


@given(arrays.arrays(np.int64, st.integers(0, 50)), arrays.arrays(np.int64, st.integers(0, 50)))
def test_what_is_taken_is_left_out_as_numpy_does(values: np.ndarray, taken: np.ndarray) -> None:
    np.testing.assert_array_equal(subtract_distinct(values, taken), np.setdiff1d(values, taken))

"""The shape of a binary tree in two arrays of children, as LightGBM writes it."""

import numpy as np
from numpy.typing import NDArray

DEPTH_MAX = 1_000
"""LightGBM explains a score by recursion, one call a level, in memory that grows with the depth's square."""


def check_shape(left: NDArray[np.int64], right: NDArray[np.int64]) -> None:
    """Raises ValueError unless the nodes [n] and the leaves [n + 1] form one tree.

    A child >= 0 is a node; one below is leaf -child - 1. Node 0 is the root.
    """
    children = np.concatenate([left, right])
    count = len(left)
    expected = np.concatenate([np.arange(-count - 1, 0), np.arange(1, count)])
    if not np.array_equal(np.sort(children), expected):
        raise ValueError("left_child and right_child do not lead to each node and each leaf once")
    level, reached, depth = np.zeros(1, np.int64), 0, 0
    while len(level):
        reached += len(level)
        depth += 1
        below = np.concatenate([left[level], right[level]])
        level = below[below >= 0]
    if reached != count:
        raise ValueError(
            f"left_child and right_child form a circle: {count - reached} nodes cannot be reached"
        )
    if depth > DEPTH_MAX:
        raise ValueError(f"it is {depth} levels deep; at most {DEPTH_MAX} can be explained")

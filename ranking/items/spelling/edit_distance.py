"""Edit distance between one word and many, a column of letters at a time."""

import numpy as np
from numpy.typing import NDArray

Letters = NDArray[np.uint8]


def compute_distances(word: bytes, letters: Letters, lengths: NDArray[np.uint8], limit: int) -> Letters:
    """Returns the edit distance [n] between a word and each candidate, `limit` + 1 where it is larger.

    An edit inserts, deletes or substitutes a byte, or transposes two neighbours (optimal string alignment;
    Damerau 1964). letters [n, size]: the candidates, padded with zeros; lengths [n]. Only cells within
    `limit` of the diagonal are computed: 2 x limit + 1 columns for each byte of the word.
    """
    n, size = letters.shape
    above = np.uint8(limit + 1)
    columns = [np.ascontiguousarray(column) for column in letters.T]
    far = np.full(n, above)
    before: list[Letters] = []
    row = [np.full(n, min(j, above), np.uint8) for j in range(size + 1)]
    for i, letter in enumerate(word, start=1):
        first, last = max(1, i - limit), min(size, i + limit)
        new = [far] * (size + 1)
        new[0] = np.full(n, min(i, above), np.uint8)
        for j in range(first, last + 1):
            same = columns[j - 1] == letter
            cell = np.where(same, row[j - 1], row[j - 1] + 1)
            np.minimum(cell, row[j] + 1, out=cell)
            np.minimum(cell, new[j - 1] + 1, out=cell)
            if i > 1 and j > 1:
                swapped = (columns[j - 2] == letter) & (columns[j - 1] == word[i - 2])
                cell = np.where(swapped, np.minimum(cell, before[j - 2] + 1), cell)
            new[j] = np.minimum(cell, above)
        before, row = row, new
    table = np.stack(row)
    return np.asarray(table[lengths, np.arange(n)], np.uint8)

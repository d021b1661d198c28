"""Sets of doc ids as packed bits: one bit per document, lowest bit first, as faiss reads them."""

import numpy as np
from numpy.typing import NDArray

Bitmap = NDArray[np.uint8]
DocIds = NDArray[np.int64]


def pack(mask: NDArray[np.bool_]) -> Bitmap:
    return np.packbits(mask, bitorder="little")


def count_bits(bits: Bitmap) -> int:
    aligned = len(bits) // 8 * 8
    in_words = np.bitwise_count(bits[:aligned].view(np.uint64)).sum(dtype=np.int64)
    return int(in_words + np.bitwise_count(bits[aligned:]).sum(dtype=np.int64))


def unpack(bits: Bitmap, size: int) -> DocIds:
    """Returns the doc ids of the bits that are set, in order."""
    return np.flatnonzero(np.unpackbits(bits, count=size, bitorder="little"))


def contains(bits: Bitmap, doc_ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Returns whether the bit of each doc id is set. The result for -1 is arbitrary."""
    if not len(bits):
        return np.zeros(len(doc_ids), bool)
    bit: NDArray[np.uint8] = (bits[doc_ids >> 3] >> (doc_ids & 7).astype(np.uint8)) & 1
    return bit.astype(bool)


def clear_bits(bits: Bitmap, doc_ids: NDArray[np.integer]) -> Bitmap:
    """Returns a copy with these bits cleared."""
    copy = bits.copy()
    np.bitwise_and.at(copy, doc_ids >> 3, ~(np.uint8(1) << (doc_ids & 7).astype(np.uint8)))
    return copy

"""The text encoder: texts to unit vectors of the `text` field. It is loaded once per process, from disk."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import Item

ENCODER_NAME = "wordllama-l2-256"


class TextEncoder(Protocol):
    """Encodes texts as float32 [len(texts), size]: rows of unit length, zeros for a text without words."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class WordLlamaEncoder:
    """WordLlama's model of 256 dimensions, with the weights in its package."""

    name = ENCODER_NAME
    size = 256

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.asarray(_load_wordllama().embed(list(texts)), dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
        return unit


@cache
def _load_wordllama() -> Any:
    import wordllama

    home = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=home, disable_download=True, dim=256)


def build_item_text(item: Item) -> str:
    """Returns the text that the text vector of an item encodes."""
    parts = (
        item.title,
        ", ".join(item.genres),
        ", ".join(item.people),
        ", ".join(item.tags),
        item.description,
    )
    return ". ".join(part for part in parts if part)

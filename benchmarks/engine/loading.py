"""Measures loading: documents per second until they can be searched, compared with tantivy and SQLite."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.engine.bare import BareStore, BareText, BareVectors, build_bare_vectors
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document

VERSION = "items-bench"
Batches = Sequence[Sequence[Document]]
"""Generated before the measurement: both sides index text in another process or thread, which would catch up
while documents are generated."""


@dataclass(slots=True)
class Stopwatch:
    """Elapsed seconds and CPU seconds by step."""

    seconds: dict[str, float] = field(default_factory=dict)
    processor_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        begun, processor = time.perf_counter(), _read_processor_s()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
        self.processor_s[name] = self.processor_s.get(name, 0.0) + _read_processor_s() - processor


def load_engine(batches: Batches, engine: EmbeddedEngine) -> Stopwatch:
    """Loads and times each step. Text is indexed in the background; its rest counts to the segment's step."""
    watch = Stopwatch()
    engine.create_index(VERSION)
    for batch in batches:
        with watch.time("truth"):
            engine.write(VERSION, batch)
    for name, step in (
        ("words and segment", engine.make_ready),
        ("promotion", engine.promote),
    ):
        with watch.time(name):
            step(VERSION)
    return watch


def load_bare(batches: Batches, directory: Path) -> tuple[Stopwatch, BareText, BareStore]:
    """Loads the same documents into tantivy and SQLite, batch by batch."""
    watch, text, store = Stopwatch(), BareText(directory / "words"), BareStore(directory / "bare.sqlite")
    number = 0
    for batch in batches:
        with watch.time("sqlite"):
            store.write(batch)
        with watch.time("tantivy"):
            for document in batch:
                text.add(number, document)
                number += 1
    with watch.time("tantivy"):
        text.finish()
    return watch, text, store


def load_bare_vectors(engine: EmbeddedEngine, watch: Stopwatch) -> dict[str, BareVectors]:
    """Indexes the vectors of the engine's segment with faiss, so that both use the same row numbers."""
    segment, indexes = engine.serving.get_view().snapshot.layers[0].segment, {}
    for name in VECTOR_FIELDS:
        vectors = np.ascontiguousarray(segment.vectors[name].vectors)
        with watch.time("faiss"):
            indexes[name] = build_bare_vectors(vectors)
    return indexes


def compare_loading(size: int, engine: Stopwatch, bare: Stopwatch) -> dict[str, object]:
    """Returns documents per second, compared with tantivy and SQLite, and with these and faiss.

    The engine trains IVF lists, as faiss does. CPU seconds are compared too: load disturbs them less.
    """
    served, written = sum(engine.seconds.values()), sum(bare.seconds.values())
    ours_s, bare_s = sum(engine.processor_s.values()), sum(bare.processor_s.values())
    without, without_s = written - bare.seconds["faiss"], bare_s - bare.processor_s["faiss"]
    return {
        "ours_s": _round(engine.seconds),
        "bare_s": _round(bare.seconds),
        "ours_processor_s": _round(engine.processor_s),
        "bare_processor_s": _round(bare.processor_s),
        "ours_per_s": round(size / served),
        "bare_per_s": round(size / without),
        "ratio": round(without / served, 3),
        "ratio_with_faiss": round(written / served, 3),
        "processor_ratio": round(without_s / ours_s, 3),
        "processor_ratio_with_faiss": round(bare_s / ours_s, 3),
    }


def _read_processor_s() -> float:
    """Returns CPU seconds of this process and its ended children, one of which indexes the text."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _round(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in seconds.items()}

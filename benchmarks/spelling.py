"""`python -m benchmarks spelling`: what reading a typed text adds to a search by words, embedded engine.

The plain search looks for the words as they are. The other reads each text against the titles and the
vocabulary first, as a request does, and one text in five has a typo. Processor time counts, because other
work on the machine makes wall time longer.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data.catalogue import Catalogue
from benchmarks.markdown import format_ms, format_table
from reelrank.app.engines.embedded.engine import EmbeddedEngine
from reelrank.index_mappings.engine import Matcher, TextMatch
from reelrank.index_mappings.item import Document
from reelrank.loaders.items.catalogue import LoadOptions, publish
from reelrank.ranking.evaluation.known_items import misspell
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_index_builder import TitleIndexBuilder
from reelrank.ranking.items.names.typed_query import read_query

JUDGED_SIZE, MAX_RATIO, MAX_SMALL_RATIO = 1_000_000, 1.5, 8.0
"""The limit of the project, at p50 and at p99, holds for a million items. Reading a text costs about the same
in any catalogue, so it weighs more beside the short searches of a small one: 2.8 to 4.5 were measured."""
MISSPELT_SHARE = 0.2
LIMIT, BEGINNINGS, TIMEOUT_S = 300, 50, 60.0
HEAD = ("search", "texts", "p50 (ms)", "p99 (ms)", "to read, p50 and p99 (ms)")


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if the reading search needs more of the plain one's time than the limit, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks spelling", description=__doc__)
    parser.add_argument("--documents", type=int, help="items of the generated catalogue")
    parser.add_argument("--small", action="store_true", help="a small catalogue and few texts")
    options = parser.parse_args(arguments)
    size = options.documents or (20_000 if options.small else 1_000_000)
    texts = Catalogue(size).build_text_queries(200 if options.small else 2_000)
    with tempfile.TemporaryDirectory() as directory:
        engine = EmbeddedEngine(Path(directory))
        index = _build(engine, size)
        plain = _measure(texts, str, engine)
        year = np.full(size, 2000, np.int16)
        read = _measure(_misspell_some(texts), lambda text: _read_text(index, text, year), engine)
        engine.close()
    rows = [
        (name, f"{len(texts):,}", *map(format_ms, np.percentile(both.sum(axis=1), (50, 99))),
         " and ".join(map(format_ms, np.percentile(both[:, 0], (50, 99)))))
        for name, both in (("as typed", plain), ("read first, one in five misspelt", read))
    ]  # fmt: skip
    ratios = np.percentile(read.sum(axis=1), (50, 99)) / np.percentile(plain.sum(axis=1), (50, 99))
    limit = MAX_RATIO if size >= JUDGED_SIZE else MAX_SMALL_RATIO
    print(f"\n{size:,} items; {len(index.words):,} words\n\n{format_table(HEAD, rows)}")
    print(f"\ntimes as long: p50 {ratios[0]:.2f}, p99 {ratios[1]:.2f}; the limit is {limit}", flush=True)
    return int(ratios.max() > limit)


def _build(engine: EmbeddedEngine, size: int) -> TitleIndex:
    """Loads generated items without vectors; returns their title index."""
    builder = TitleIndexBuilder()

    def generate() -> Iterator[list[Document]]:
        for items in Catalogue(size).generate_items():
            builder.add(items)
            yield [Document(item) for item in items]

    publish(generate(), engine, LoadOptions(created_at=datetime.now(UTC)))
    return TitleIndex(**builder.build(np.arange(size)))


def _read_text(index: TitleIndex, text: str, year: NDArray[np.int16]) -> str:
    typed = read_query(index, text, year, BEGINNINGS)
    return " ".join((typed.spelling, *typed.expansion))


def _misspell_some(texts: Sequence[str]) -> list[str]:
    rng = random.Random(3)
    return [misspell(text, rng) or text if rng.random() < MISSPELT_SHARE else text for text in texts]


def _measure(texts: Sequence[str], read: Callable[[str], str], matcher: Matcher) -> NDArray[np.float64]:
    """Returns milliseconds [n, 2] to read each text and to search for it. The first search is not counted."""
    matcher.match_text(TextMatch("bm25", read(texts[0]), LIMIT), TIMEOUT_S)
    used = []
    for text in texts:
        began = time.thread_time()
        words = read(text)
        middle = time.thread_time()
        matcher.match_text(TextMatch("bm25", words, LIMIT), TIMEOUT_S)
        used.append((middle - began, time.thread_time() - middle))
    return np.array(used) * 1000

"""`python -m benchmarks suggest`: how long suggestions take to find in a large catalogue, and their memory.

Only the index is measured: the item table of generated titles and names, without an engine. A request also
fetches the titles it shows, as every page does. Processor time is compared with the limit, because other work
on the machine makes wall time longer.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.data.catalogue import Catalogue
from benchmarks.markdown import format_ms, format_table
from reelrank.index_mappings.event import DAY_MS
from reelrank.index_mappings.item import Item
from reelrank.ranking.items.names.suggestion_builder import SuggestionBuilder, assemble_suggestions
from reelrank.ranking.items.names.suggestion_index import SuggestionIndex
from reelrank.ranking.items.names.title_index import TitleIndex
from reelrank.ranking.items.names.title_index_builder import TitleIndexBuilder
from reelrank.ranking.items.popularity.counters import Popularity
from reelrank.ranking.items.watch_columns import LOADED_MS, WatchColumns

P99_MS = 20.0
"""The limit of the project: suggestions appear between two keys."""
SMALL_P99_MS = 60.0
"""Of a small run: the slowest of a hundred texts, beside whatever else the machine does."""
LIMIT = 11
"""Names looked up for eight suggestions."""
SAMPLE = 20_000
"""Items from which texts are made."""
VIEWERS, WATCHES = 20_000, 500_000
HEAD = ("typed text", "texts", "p50 (ms)", "p99 (ms)", "p99 by the clock (ms)", "found")
Typed = Callable[[Item, random.Random], str]


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if a kind of text needs more processor time at p99 than the limit of the run, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks suggest", description=__doc__)
    parser.add_argument("--documents", type=int, help="items of the generated catalogue")
    parser.add_argument("--small", action="store_true", help="a small catalogue and few texts")
    options = parser.parse_args(arguments)
    size = options.documents or (20_000 if options.small else 1_000_000)
    index, sample = _build_index(size)
    popularity = _build_popularity(size)
    rows, slowest = [], 0.0
    for kind, typed in KINDS.items():
        texts = _make_texts(typed, sample, 100 if options.small else 1_000)
        used, elapsed, found = _measure(index, texts, popularity)
        p50, p99 = np.percentile(used, (50, 99)).tolist()
        clock = format_ms(float(np.percentile(elapsed, 99)))
        rows.append((kind, f"{len(texts):,}", format_ms(p50), format_ms(p99), clock, f"{found:.2f}"))
        slowest = max(slowest, p99)
    print(format_table(HEAD, rows), flush=True)
    return int(slowest > (SMALL_P99_MS if options.small else P99_MS))


def _build_index(size: int) -> tuple[SuggestionIndex, Sequence[Item]]:
    suggestions, titles, sample = SuggestionBuilder(), TitleIndexBuilder(), list[Item]()
    for items in Catalogue(size).generate_items():
        suggestions.add(items)
        titles.add(items)
        sample += items if len(sample) < SAMPLE else []
    order, began = np.arange(size), time.process_time()
    columns = suggestions.build(order)
    memory = sum(column.nbytes for column in columns.values()) / 1e6
    print(
        f"\n{size:,} items: {memory:,.0f} MB of columns, built in {time.process_time() - began:.0f} s of "
        "processor time\n"
    )
    return assemble_suggestions(columns, TitleIndex(**titles.build(order))), sample


def _build_popularity(size: int) -> Popularity:
    """Returns counters of a year of watches, half of them of an eighth of the items."""
    rng = np.random.default_rng(2)
    rows = (size * rng.random(WATCHES) ** 3).astype(np.intp)
    viewers = rng.integers(1, VIEWERS, WATCHES).astype(np.uint64)
    at_ms = rng.integers(0, 365 * DAY_MS, WATCHES)
    ones, loaded = np.ones(WATCHES, np.float32), np.full(WATCHES, LOADED_MS)
    popularity = Popularity(size)
    popularity.add_watches(WatchColumns(viewers, rows, at_ms, ones, loaded, 0 * ones))
    return popularity


def _make_texts(typed: Typed, sample: Sequence[Item], count: int) -> list[str]:
    rng = random.Random(5)
    return [typed(rng.choice(sample), rng) for _ in range(count)]


def _measure(
    index: SuggestionIndex, texts: Sequence[str], popularity: Popularity
) -> tuple[list[float], list[float], float]:
    """Returns milliseconds of processor time and by the clock for each text, and the share with names."""
    used, elapsed, found = list[float](), list[float](), 0
    for text in texts:
        began, began_used = time.perf_counter(), time.thread_time()
        names = index.find(text, LIMIT, popularity)
        used.append((time.thread_time() - began_used) * 1000)
        elapsed.append((time.perf_counter() - began) * 1000)
        found += bool(len(names.titles) + len(names.people))
    return used, elapsed, found / len(texts)


def _begin(length: int) -> Typed:
    return lambda item, _rng: item.title[:length]


def _misspell(length: int) -> Typed:
    def misspell(item: Item, rng: random.Random) -> str:
        text = item.title[:length]
        at = rng.randrange(1, len(text))
        return text[:at] + rng.choice("abcdefghijklm") + text[at + 1 :]

    return misspell


def _type_person(item: Item, rng: random.Random) -> str:
    name = rng.choice(item.people)
    return rng.choice((name, name.split()[-1]))[: rng.randrange(2, 12)]


def _type_letters(_item: Item, rng: random.Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(4, 30)))


KINDS: dict[str, Typed] = {
    **{f"first {n} characters of a title": _begin(n) for n in (1, 2, 3, 5, 8, 12)},
    **{f"first {n}, one of them wrong": _misspell(n) for n in (5, 8, 12, 20)},
    "part of a person's name": _type_person,
    "random letters": _type_letters,
}

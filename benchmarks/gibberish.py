"""`python -m benchmarks gibberish --demo DIRECTORY`: tells gibberish from unknown words on the demo.

Thresholds are chosen on every second text and checked on the others. A text of letters is judged only if the
catalogue has no such word and none an edit away, as in a search. The words that films lack are from SciFact.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import format_table
from benchmarks.quality.datasets import DatasetMissing, find_data_file
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, warm_service
from reelrank.index_mappings.encoder import TextEncoder
from reelrank.index_mappings.text import fold_text
from reelrank.ranking.evaluation.known_items import generate_queries
from reelrank.ranking.items.names.title_keys import split_words
from reelrank.ranking.items.table import ItemTable
from reelrank.ranking.retrieval.gibberish import MAX_COSINE, MIN_LETTER_BITS

PER_KIND = 400
MIN_COUNT = 20
"""Occurrences in SciFact from which a word is taken for a real one, not for a misprint."""
LETTERS, KEY_ROWS = "abcdefghijklmnopqrstuvwxyz", ("qwertyuiop", "asdfghjkl", "zxcvbnm")
PERCENTILES = (1, 5, 50, 95, 99)
MAX_LOST, MIN_FOUND = 0.02, 0.90
"""Limits: real words taken for gibberish, and gibberish that is recognized, on the half that checks."""
HEAD = (
    "texts",
    "n",
    "best cosine at 1, 5, 50, 95, 99 %",
    "letter bits at 1, 5, 50, 95, 99 %",
    "taken for gibberish",
)


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Best cosines [n] and letter bits [n] of texts of one kind."""

    cosines: NDArray[np.float32]
    bits: NDArray[np.float64]

    def find_gibberish(self) -> NDArray[np.bool_]:
        return np.asarray((self.bits < MIN_LETTER_BITS) & (self.cosines < MAX_COSINE))


def main(arguments: Sequence[str]) -> int:
    """Returns 1 if a limit is missed on the second half, 2 if a data set is missing, else 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gibberish", description=__doc__)
    parser.add_argument("--demo", type=Path, required=True, help="data directory of `make run`")
    options = parser.parse_args(arguments)
    try:
        corpus = find_data_file("scifact", "corpus.jsonl").read_text()
    except DatasetMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        shutil.copytree(options.demo, Path(temporary) / "data")
        container = build_container(Settings(data_dir=Path(temporary) / "data"))
        state = warm_service(container).refresher.state
        items = [document.item for batch in container.engine.scan(state.version) for document in batch]
        known = [query.text for query in generate_queries(items, PER_KIND // 4, 7)]
        texts = _make_texts(state.table, corpus, random.Random(3))
        texts = {"known items": random.Random(3).sample(known, PER_KIND), **texts}
        rates = {
            kind: _rate(kind_texts, state.table, container.encoder) for kind, kind_texts in texts.items()
        }
    return int(_report(rates))


def _make_texts(table: ItemTable, corpus: str, rng: random.Random) -> dict[str, list[str]]:
    """Returns texts that the catalogue does not know, by kind."""
    counts = Counter(re.findall(r"\b[a-z]{5,14}\b", corpus))
    real = sorted(word for word, count in counts.items() if count >= MIN_COUNT and _is_unknown(word, table))

    def mash() -> str:
        row = rng.choice(KEY_ROWS)
        start = rng.randrange(len(row) - 3)
        return "".join(rng.choices(row[start : start + 4], k=rng.randrange(5, 11)))

    makers: dict[str, Callable[[], str]] = {
        "real words": lambda: rng.choice(real),
        "pairs of real words": lambda: " ".join(rng.sample(real, 2)),
        "random letters": lambda: "".join(rng.choices(LETTERS, k=rng.randrange(4, 13))),
        "neighbouring keys": mash,
        "repeated letters": lambda: "".join(rng.choice(LETTERS) * rng.randrange(2, 5) for _ in range(3)),
    }
    return {kind: _collect(make, table) for kind, make in makers.items()}


def _collect(make: Callable[[], str], table: ItemTable) -> list[str]:
    found: list[str] = []
    while len(found) < PER_KIND:
        if _is_unknown(text := make(), table):
            found.append(text)
    return found


def _is_unknown(text: str, table: ItemTable) -> bool:
    words = split_words(fold_text(text))
    return not table.titles.count_words(words).any() and not table.titles.correct(words)


def _rate(texts: Sequence[str], table: ItemTable, encoder: TextEncoder) -> Rates:
    vectors = np.asarray(table.vectors["text"])
    cosines = np.array([(vectors @ encoder.encode([text])[0]).max() for text in texts], np.float32)
    return Rates(cosines, np.array([table.suggestions.letters.rate(text) for text in texts]))


def _report(rates: dict[str, Rates]) -> bool:
    """Prints both halves. Returns whether the second one misses a limit."""
    is_missed = False
    for half, name in enumerate(("chosen on", "checked on")):
        rows = []
        for kind, both_halves in rates.items():
            half_rates = Rates(both_halves.cosines[half::2], both_halves.bits[half::2])
            share = float(half_rates.find_gibberish().mean())
            is_real = kind == "known items" or "real" in kind
            is_missed |= half == 1 and (share > MAX_LOST if is_real else share < MIN_FOUND)
            cells = (_format(half_rates.cosines), _format(half_rates.bits), f"{share:.3f}")
            rows.append((kind, str(len(half_rates.bits)), *cells))
        print(f"\nThresholds {name}:\n\n{format_table(HEAD, rows)}", flush=True)
    return is_missed


def _format(values: NDArray[np.floating]) -> str:
    return ", ".join(f"{value:.2f}" for value in np.percentile(values, PERCENTILES).tolist())

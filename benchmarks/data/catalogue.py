"""Generates a catalogue: Zipfian words and names, skewed filters, vectors in clusters of uneven sizes.

Genres correlate with clusters, as in real catalogues, so a genre filter is not a random sample of vectors.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from reelrank.index_mappings.fields import VECTOR_FIELDS
from reelrank.index_mappings.item import Document, FloatVector, Item, Neighbour

SYLLABLES = ("ba", "do", "ri", "ka", "lu", "me", "no", "pe", "sa", "ti", "vo", "xu", "ze", "fi", "go", "hy")
WORDS, NAMES = 60_000, 40_000
ZIPF = 1.05
"""Exponent of word frequencies; English text is near 1 (Zipf 1949)."""
GENRES = tuple(f"Genre {n}" for n in range(24))
LANGUAGE_SHARES = (0.60, 0.10, 0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01)
COUNTRIES = tuple(f"Country {n}" for n in range(60))
CLUSTERS = 1_000
SPREAD = 0.7
"""Noise per dimension, where centres have a standard deviation of 1: clusters overlap at their edges."""
ENDINGS = {7: ".", 15: ",", 23: ".", 31: ",", 39: "'s"}
"""Punctuation by position in a run of 40 words, about as in prose, so that tokenizing costs the same."""
NEIGHBOURS, WITH_NEIGHBOURS = 10, 0.6
BATCH = 1_000
STRIDE = 48_271  # coprime to every size used, so the order of ids differs from the order of loading
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`size` documents that depend on size and seed only."""

    size: int
    seed: int = 0

    def generate_batches(self) -> Iterator[list[Document]]:
        for start in range(0, self.size, BATCH):
            yield self._build_batch(start, min(BATCH, self.size - start))

    def generate_items(self) -> Iterator[list[Item]]:
        """Yields items of the same kind without vectors, which take most of the time and memory."""
        for start in range(0, self.size, BATCH):
            rng = np.random.default_rng([self.seed, 4, start])
            yield self._build_items(start, _sample_clusters(rng, min(BATCH, self.size - start)), rng)

    def build_text_queries(self, count: int) -> list[str]:
        """Returns queries of two or three words of a title, so that each has matches."""
        rng = np.random.default_rng([self.seed, 1])
        titles = [document.item.title.split() for document in self._build_batch(0, min(BATCH, self.size))]
        return [" ".join(titles[n][: int(rng.integers(2, 4))]) for n in rng.integers(0, len(titles), count)]

    def build_vector_queries(self, field: str, count: int) -> NDArray[np.float32]:
        """Returns vectors [count, size] near the clusters; none is a vector of the catalogue."""
        rng = np.random.default_rng([self.seed, 2])
        return _sample_vectors(field, _sample_clusters(rng, count), rng)

    def _build_batch(self, start: int, size: int) -> list[Document]:
        rng = np.random.default_rng([self.seed, 3, start])
        clusters = _sample_clusters(rng, size)
        vectors = {field: _sample_vectors(field, clusters, rng) for field in VECTOR_FIELDS}
        items = self._build_items(start, clusters, rng)
        neighbours = self._build_neighbours(size, rng)
        return [
            Document(item, {field: rows[n] for field, rows in vectors.items()}, neighbours[n])
            for n, item in enumerate(items)
        ]

    def _build_items(self, start: int, clusters: NDArray[np.int64], rng: np.random.Generator) -> list[Item]:
        size = len(clusters)
        titles, texts = _build_sentences(size, (2, 6), rng), _build_sentences(size, (10, 30), rng)
        people, tags = _sample_zipf(rng, NAMES, (size, 3)), _sample_zipf(rng, 2_000, (size, 3))
        own, odd = clusters % len(GENRES), _sample_zipf(rng, len(GENRES), (size,))
        first = np.where(rng.random(size) < 0.6, own, odd)
        languages = rng.choice(len(LANGUAGE_SHARES), size, p=LANGUAGE_SHARES)
        countries, days = _sample_zipf(rng, len(COUNTRIES), (size,)), 20_000 - rng.exponential(4_000, size)
        minutes = rng.gamma(4.0, 1_200.0, size).astype(int) + 60
        return [
            Item(
                self.id_of(start + n),
                titles[n],
                texts[n],
                tuple(f"tag {tag}" for tag in tags[n].tolist()),
                (GENRES[int(first[n])], GENRES[int(odd[n])]),
                tuple(f"{_spell_word(name)} {_spell_word(name * 7 + 1)}" for name in people[n].tolist()),
                (f"Language {languages[n]}",),
                (COUNTRIES[int(countries[n])],),
                EPOCH + timedelta(days=float(days[n])),
                int(minutes[n]),
            )
            for n in range(size)
        ]

    def _build_neighbours(self, size: int, rng: np.random.Generator) -> list[Sequence[Neighbour]]:
        """Returns neighbours per item, most often popular items."""
        numbers = (self.size * rng.random((size, NEIGHBOURS)) ** 3).astype(int).tolist()
        has = rng.random(size) < WITH_NEIGHBOURS
        return [
            [Neighbour(self.id_of(m), 1 - k / NEIGHBOURS) for k, m in enumerate(dict.fromkeys(numbers[n]))]
            if has[n]
            else ()
            for n in range(size)
        ]

    def id_of(self, number: int) -> str:
        return f"v{number * STRIDE % 9_999_991:07d}"


def _sample_zipf(rng: np.random.Generator, terms: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Returns ranks from 0 with frequencies of about 1 / (rank + 1) ** ZIPF, by inverting its integral."""
    low, high = 1.0, (terms + 1.0) ** (1 - ZIPF)
    ranks = (low + rng.random(shape) * (high - low)) ** (1 / (1 - ZIPF))
    clipped: NDArray[np.int64] = np.clip(ranks.astype(np.int64) - 1, 0, terms - 1)
    return clipped


def _sample_clusters(rng: np.random.Generator, size: int) -> NDArray[np.int64]:
    return _sample_zipf(rng, CLUSTERS, (size,))


def _sample_vectors(field: str, clusters: NDArray[np.int64], rng: np.random.Generator) -> FloatVector:
    size = VECTOR_FIELDS[field].size
    noise = rng.standard_normal((len(clusters), size), np.float32)
    vectors = _sample_centres(size)[clusters] + np.float32(SPREAD) * noise
    unit: FloatVector = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@cache
def _sample_centres(size: int) -> NDArray[np.float32]:
    return np.random.default_rng(size).standard_normal((CLUSTERS, size), np.float32)


def _build_sentences(count: int, word_range: tuple[int, int], rng: np.random.Generator) -> list[str]:
    lengths = rng.integers(*word_range, count)
    words = [
        _spell_word(number) + ENDINGS.get(index % 40, "")
        for index, number in enumerate(_sample_zipf(rng, WORDS, (int(lengths.sum()),)).tolist())
    ]
    ends = np.cumsum(lengths).tolist()
    return [" ".join(words[end - length : end]) for end, length in zip(ends, lengths.tolist(), strict=True)]


@cache
def _spell_word(number: int) -> str:
    """Returns a pronounceable word, a different one for each number; none is a stop word."""
    digits = [number % 16, number // 16 % 16, number // 256 % 16, number // 4096 % 16]
    return "".join(SYLLABLES[digit] for digit in digits)

"""The libraries of the engine, used directly: the cost of the same responses without the engine."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import orjson
import tantivy
from numpy.typing import NDArray

from reelrank.index_mappings.fields import TEXT_FIELDS
from reelrank.index_mappings.item import LIST_FIELDS, Document, FloatVector
from reelrank.index_mappings.query import Filters
from reelrank.index_mappings.text import STOP_WORDS

Vectors = NDArray[np.float32]
TEXT_INDEX_BYTES = 512_000_000
ANALYZER = "english"


class BareText:
    """tantivy with the fields, analyzer and filters of the engine. A hit is a document number and a score."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.schema = _build_schema()
        self.index = tantivy.Index(self.schema, path=str(directory))
        self.analyzer = _build_analyzer()
        self.index.register_tokenizer(ANALYZER, self.analyzer)
        self.writer = self.index.writer(TEXT_INDEX_BYTES, 1)

    def add(self, number: int, document: Document) -> None:
        item = document.item
        fields = {
            "number": [number],
            "id": [item.id],
            "title": [item.title],
            "description": [item.description],
            "people": list(item.people),
            "genres": list(item.genres),
            "tags": list(item.tags),
            "genre": list(item.genres),
            "language": list(item.languages),
            "country": list(item.countries),
            "year": [item.year],
            "duration_s": [item.duration_s],
        }
        self.writer.add_document(tantivy.Document.from_dict(fields, self.schema))

    def finish(self) -> None:
        self.writer.commit()
        self.writer.wait_merging_threads()
        self.index.reload()

    def search(self, text: str, filters: Filters, limit: int) -> tuple[list[Any], list[float]]:
        occur, query = tantivy.Occur, tantivy.Query
        words = [
            (occur.Should, query.boost_query(query.term_query(self.schema, field, word, "freq"), weight))
            for word in dict.fromkeys(self.analyzer.analyze(text))
            for field, weight in TEXT_FIELDS.items()
        ]
        search = query.boolean_query(words)
        conditions = [
            query.term_set_query(self.schema, field, list(names))
            for field, names in (("genre", filters.genres), ("language", filters.languages))
            if names
        ]
        if filters.year_min is not None:
            kind = tantivy.FieldType.Integer
            conditions.append(
                query.range_query(self.schema, "year", kind, filters.year_min, filters.year_max)
            )
        if conditions:
            unscored = [(occur.Must, query.const_score_query(condition, 0.0)) for condition in conditions]
            search = query.boolean_query([(occur.Must, search), *unscored])
        searcher = self.index.searcher()
        hits = searcher.search(search, limit, count=False).hits
        return searcher.fast_field_values("number", [address for _, address in hits]), [s for s, _ in hits]


class BareStore:
    """SQLite with a row of the same bytes per document."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("pragma journal_mode = wal")
        self.connection.execute("pragma synchronous = full")
        self.connection.execute(
            "create table documents (id text primary key, body, text, factors, session, neighbours)"
        )

    def write(self, batch: Sequence[Document]) -> None:
        self.connection.execute("begin")
        self.connection.executemany("insert into documents values (?, ?, ?, ?, ?, ?)", map(_build_row, batch))
        self.connection.execute("commit")

    def fetch(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        marks = ",".join("?" * len(ids))
        found = self.connection.execute(f"select id, body from documents where id in ({marks})", ids)
        bodies = dict(found.fetchall())
        return [orjson.loads(bodies[name]) for name in ids]


@dataclass(slots=True, eq=False)
class BareVectors:
    """A faiss IVF index of uncompressed vectors. nprobe: set to reach the recall of the engine."""

    index: Any
    nprobe: int = 1

    def search(self, query: FloatVector, selector: Any, limit: int) -> NDArray[np.int64]:
        """Returns the numbers of the nearest vectors. selector: a faiss selector or None."""
        parameters = faiss.SearchParametersIVF(nprobe=self.nprobe, sel=selector)
        _, found = self.index.search(query[None], limit, params=parameters)
        numbers: NDArray[np.int64] = found[0]
        return numbers


def build_bare_vectors(vectors: Vectors) -> BareVectors:
    """Builds an index with as many lists as the square root of the number of vectors, as the engine does."""
    nlist, size = round(len(vectors) ** 0.5), vectors.shape[1]
    quantizer = faiss.IndexFlatIP(size)
    index = faiss.IndexIVFFlat(quantizer, size, nlist, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid = 10, 48
    sample = np.random.default_rng(0).choice(len(vectors), min(len(vectors), 48 * nlist), replace=False)
    index.train(vectors[np.sort(sample)])
    index.add(vectors)
    return BareVectors(index)


def _build_row(document: Document) -> tuple[object, ...]:
    item, vectors = document.item, document.vectors
    body = {name: getattr(item, name) for name in ("title", "description", *LIST_FIELDS)}
    rest = {"published_at": item.published_at}
    return (
        item.id,
        orjson.dumps(body | rest | {"duration_s": item.duration_s}),
        *(vectors[field].tobytes() for field in ("text", "factors", "session")),
        orjson.dumps([(n.id, round(n.weight * 16)) for n in document.neighbours]),
    )


def _build_schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("number", fast=True)
    for field in TEXT_FIELDS:
        builder.add_text_field(field, tokenizer_name=ANALYZER, index_option="freq")
    for field in ("id", "genre", "language", "country"):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in ("year", "duration_s"):
        builder.add_integer_field(field, indexed=True, fast=True)
    return builder.build()


def _build_analyzer() -> Any:
    filters = tantivy.Filter
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    steps = (filters.lowercase(), filters.ascii_fold(), filters.custom_stopword(list(STOP_WORDS)))
    for step in (*steps, filters.stemmer("english")):
        builder = builder.filter(step)
    return builder.build()

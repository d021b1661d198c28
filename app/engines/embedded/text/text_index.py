"""The tantivy index of one version: words and filter terms. Derived; it says which change it covers."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import tantivy
from numpy.typing import NDArray

from reelrank.app.engines.embedded.store.documents import year_of
from reelrank.app.engines.embedded.text.analysis import build_analyzer, separate_words, separate_words_batch
from reelrank.index_mappings.fields import TEXT_FIELDS
from reelrank.index_mappings.query import Filters
from reelrank.ranking.durable import write_file

Hits = tuple[NDArray[np.int64], NDArray[np.float32]]
Weights = tuple[tuple[str, float], ...]
Change = tuple[int, int, str, bytes | None]
"""Its number, the row and the id of a document, and its body: None when it was deleted. In the order of the
numbers; a new document has a higher row than all before it."""
DEFAULT_WEIGHTS = tuple(TEXT_FIELDS.items())
ANALYZER = "reelrank"
WRITER_BYTES, BULK_BYTES = 64_000_000, 512_000_000
"""A live change needs little; a whole version is written in fewer, larger segments with more; always by
one thread, so that equal scores come in the order of writing."""
META_FILE = "meta.json"
SEQ_FILE = "covers-seq"
UNFINISHED_FILE = "unfinished"
"""There while a writer is at work. A killed one leaves it, and files whose names tantivy would use again:
those are removed before the next write."""


class DamagedTextIndex(Exception):
    """An index that cannot be opened; it is written again from the truth."""


class TextIndex:
    """Opened for reading; `apply` writes and is for whoever holds the lock of the words."""

    def __init__(self, directory: Path) -> None:
        """Raises DamagedWords."""
        self.directory = directory
        self.schema = _build_schema()
        directory.mkdir(parents=True, exist_ok=True)
        if not (directory / META_FILE).exists():
            (directory / SEQ_FILE).unlink(missing_ok=True)
        try:
            self.index = tantivy.Index(self.schema, path=str(directory))
            self.index.searcher()
        except (ValueError, OSError) as error:
            raise DamagedTextIndex(f"{directory}: {error}") from error
        self.analyzer = build_analyzer()
        self.index.register_tokenizer(ANALYZER, self.analyzer)

    @property
    def seq(self) -> int:
        """The last change of the truth that the committed index holds; -1 when it holds none."""
        try:
            return int((self.directory / SEQ_FILE).read_text())
        except (OSError, ValueError):
            return -1

    def apply(self, changes: Iterable[Change]) -> None:
        """Writes item bodies, deletes where there is none, and then covers the last change.

        Writing the same change again is harmless, so a kill between the commit and the file is.
        """
        empty = self.index.searcher().num_docs == 0
        writer = self.index.writer(BULK_BYTES if empty else WRITER_BYTES, 1)
        unfinished = self.directory / UNFINISHED_FILE
        if unfinished.exists():
            writer.garbage_collect_files()
        unfinished.touch()
        covered, highest = self.seq, 0
        for seq, row, name, body in changes:
            if not empty or row <= highest:
                writer.delete_documents_by_term("id", name)
            if body is not None:
                writer.add_document(tantivy.Document.from_dict(_build_fields(row, name, body), self.schema))
            covered, highest = seq, max(highest, row)
        writer.commit()
        writer.wait_merging_threads()
        write_file(self.directory / SEQ_FILE, str(covered))
        unfinished.unlink()
        self.index.reload()

    def reload(self) -> None:
        """Sees what another process has committed."""
        self.index.reload()

    def analyze(self, text: str) -> list[str]:
        """The words that a text is indexed and searched by, in its order."""
        return list(self.analyzer.analyze(separate_words(text)))

    def search(self, text: str, filters: Filters, limit: int, weights: Weights = DEFAULT_WEIGHTS) -> Hits:
        """Row numbers and scores: the sum over fields of weight x BM25, any word may match."""
        words = list(dict.fromkeys(self.analyze(text)))
        if not words:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        should = [
            (
                tantivy.Occur.Should,
                tantivy.Query.boost_query(tantivy.Query.term_query(self.schema, field, word, "freq"), weight),
            )
            for field, weight in weights
            for word in words
        ]
        query, conditions = tantivy.Query.boolean_query(should), self._build_filter_clauses(filters)
        if conditions:
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), *conditions])
        searcher = self.index.searcher()
        hits = searcher.search(query, limit, count=False).hits
        scores, addresses = zip(*hits, strict=True) if hits else ((), ())
        rows = searcher.fast_field_values("row", list(addresses))
        return np.array(rows, np.int64), np.array(scores, np.float32)

    def _build_filter_clauses(self, filters: Filters) -> list[tuple[Any, Any]]:
        wanted = {"genre": filters.genres, "language": filters.languages, "country": filters.countries}
        conditions = [
            tantivy.Query.term_set_query(self.schema, field, [name.casefold() for name in names])
            for field, names in wanted.items()
            if names
        ]
        ranges = {
            "year": (filters.year_min, filters.year_max),
            "duration_s": (filters.duration_min_s, filters.duration_max_s),
        }
        conditions += [
            tantivy.Query.range_query(self.schema, field, tantivy.FieldType.Integer, low, high)
            for field, (low, high) in ranges.items()
            if (low, high) != (None, None)
        ]
        return [(tantivy.Occur.Must, tantivy.Query.const_score_query(each, 0.0)) for each in conditions]


def open_or_reset(directory: Path) -> TextIndex:
    """The index, empty where it was damaged; for whoever holds the lock of the words."""
    try:
        return TextIndex(directory)
    except DamagedTextIndex:
        shutil.rmtree(directory)
        return TextIndex(directory)


def _build_schema() -> Any:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("row", fast=True)
    for field in TEXT_FIELDS:
        builder.add_text_field(field, tokenizer_name=ANALYZER, index_option="freq")
    for field in ("genre", "language", "country"):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in ("year", "duration_s"):
        builder.add_integer_field(field, indexed=True, fast=True)
    return builder.build()


def _build_fields(row: int, item_id: str, body: bytes) -> dict[str, Any]:
    facts = orjson.loads(body)
    genres, year = facts.get("genres", []), year_of(facts)
    texts = [_join_text(facts.get(field, "")) for field in TEXT_FIELDS]
    stated: dict[str, Any] = {
        "id": [item_id],
        "row": [row],
        "genre": [genre.casefold() for genre in genres],
        **{
            field: [text]
            for field, text in zip(TEXT_FIELDS, separate_words_batch(texts), strict=True)
            if text
        },
    }
    for field in ("language", "country"):
        if field in facts:
            stated[field] = [facts[field].casefold()]
    if year is not None:
        stated["year"] = [year]
    if "duration_s" in facts:
        stated["duration_s"] = [facts["duration_s"]]
    return stated


def _join_text(value: str | list[str]) -> str:
    """Names of a list, one after another: BM25 asks how often a word is there, not where."""
    return value if isinstance(value, str) else " \n".join(value)

"""The tantivy index of one version: text and filter terms. It is derived and records its last change."""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tantivy
from numpy.typing import NDArray

from reelrank.app.engines.embedded.text.analysis import build_analyzer, separate_words
from reelrank.app.engines.embedded.text.item_documents import ANALYZER, build_fields, build_schema
from reelrank.index_mappings.engine import TextMatch
from reelrank.index_mappings.fields import NAME_FIELDS, TEXT_FIELDS, TITLE
from reelrank.index_mappings.query import Filters
from reelrank.index_mappings.text import PREPARATION, fold_name
from reelrank.ranking.durable import write_file

Hits = tuple[NDArray[np.int64], NDArray[np.float32]]
Weights = tuple[tuple[str, float], ...]
Change = tuple[int, int, str, bytes | None]
"""Sequence number, row, item id and body of a document; no body for a deletion. Changes are sorted by
sequence number; a new document has a higher row than all before it."""
DEFAULT_WEIGHTS = tuple(TEXT_FIELDS.items())
WRITER_BYTES, BULK_BYTES = 64_000_000, 512_000_000
"""A live change needs little memory; with more, a whole version is written in fewer, larger segments. One
writer thread keeps equal scores in the order of writing."""
META_FILE = "meta.json"
SEQ_FILE = "covers-seq"
PREPARATION_FILE = "preparation"
"""Version of the text preparation that the index was made with; indexes of earlier builds lack it."""
UNFINISHED_FILE = "unfinished"
"""Exists while a writer is working. A killed writer leaves it, and files whose names tantivy would reuse; the
next write removes those first."""


class DamagedTextIndex(Exception):
    """A text index that cannot be used; it is rebuilt from the database."""


class TextIndex:
    """An index open for reading. `apply` writes; its caller must hold the lock of the text index."""

    def __init__(self, directory: Path) -> None:
        """Opens the index of a directory. Raises DamagedTextIndex, also after another text preparation."""
        self.directory = directory
        self.schema = build_schema()
        directory.mkdir(parents=True, exist_ok=True)
        if not (directory / META_FILE).exists():
            (directory / SEQ_FILE).unlink(missing_ok=True)
            write_file(directory / PREPARATION_FILE, str(PREPARATION))
        if _read_number(directory / PREPARATION_FILE) != PREPARATION:
            raise DamagedTextIndex(f"{directory} was made with another text preparation")
        try:
            self.index = tantivy.Index(self.schema, path=str(directory))
            self.index.searcher()
        except (ValueError, OSError) as error:
            raise DamagedTextIndex(f"{directory}: {error}") from error
        self.analyzer = build_analyzer()
        self.index.register_tokenizer(ANALYZER, self.analyzer)

    @property
    def seq(self) -> int:
        """Returns the last change in the committed index; -1 when it is empty."""
        return _read_number(self.directory / SEQ_FILE)

    def apply(self, changes: Iterable[Change]) -> None:
        """Writes changes and records the last one.

        A kill between the commit and the record is harmless: writing a change again has no effect.
        """
        empty = self.index.searcher().num_docs == 0
        writer = self.index.writer(BULK_BYTES if empty else WRITER_BYTES, 1)
        unfinished = self.directory / UNFINISHED_FILE
        if unfinished.exists():
            writer.garbage_collect_files()
        unfinished.touch()
        last_seq, highest_row = self.seq, 0
        for seq, row, item_id, body in changes:
            if not empty or row <= highest_row:
                writer.delete_documents_by_term("id", item_id)
            if body is not None:
                writer.add_document(tantivy.Document.from_dict(build_fields(row, item_id, body), self.schema))
            last_seq, highest_row = seq, max(highest_row, row)
        writer.commit()
        writer.wait_merging_threads()
        write_file(self.directory / SEQ_FILE, str(last_seq))
        unfinished.unlink()
        self.index.reload()

    def reload(self) -> None:
        """Makes commits of other processes visible."""
        self.index.reload()

    def analyze(self, text: str) -> list[str]:
        """Returns the tokens of prepared text in order."""
        return list(self.analyzer.analyze(separate_words(text)))

    def search(self, request: TextMatch, limit: int) -> Hits:
        """Returns rows and scores: the sum over fields of weight x BM25. Any content word matches a document.

        A token counts as often as it is in the query; stop words beside others count in the title only.
        """
        words = request.words
        content = self._build_term_clauses(words.content, request.weights)
        if not content:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        query, clauses = tantivy.Query.boolean_query(content), self._build_filter_clauses(request.filters)
        title = [pair for pair in request.weights if pair[0] == TITLE]
        clauses += self._build_term_clauses(words.stop, title)
        if clauses:
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), *clauses])
        hits = self._collect_hits(query, limit)
        if not request.all_words_bonus or not words.typed:
            return hits
        whole = [(tantivy.Occur.Must, query), self._build_bonus_clause(words.typed, request)]
        return _join_hits(self._collect_hits(tantivy.Query.boolean_query(whole), limit), hits)

    def _collect_hits(self, query: Any, limit: int) -> Hits:
        searcher = self.index.searcher()
        hits = searcher.search(query, limit, count=False).hits
        scores, addresses = zip(*hits, strict=True) if hits else ((), ())
        rows = searcher.fast_field_values("row", list(addresses))
        return np.array(rows, np.int64), np.array(scores, np.float32)

    def _build_term_clauses(
        self, words: Sequence[str], weights: Sequence[tuple[str, float]]
    ) -> list[tuple[Any, Any]]:
        counts = Counter(self.analyze(" ".join(words)))
        return [
            (
                tantivy.Occur.Should,
                tantivy.Query.boost_query(
                    tantivy.Query.term_query(self.schema, field, token, "freq"), weight * count
                ),
            )
            for field, weight in weights
            for token, count in counts.items()
        ]

    def _build_bonus_clause(self, words: Sequence[str], request: TextMatch) -> tuple[Any, Any]:
        """Builds the clause that requires every word and adds the bonus.

        It is part of a search of its own: an optional clause would keep tantivy from skipping documents
        that cannot be among the best.
        """
        fields = [field for field, _ in request.weights]
        word_queries = [
            tantivy.Query.boolean_query(
                [(tantivy.Occur.Should, tantivy.Query.term_query(self.schema, f, token)) for f in fields]
            )
            for token in dict.fromkeys(self.analyze(" ".join(words)))
        ]
        every = tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in word_queries])
        return tantivy.Occur.Must, tantivy.Query.const_score_query(every, request.all_words_bonus)

    def _build_filter_clauses(self, filters: Filters) -> list[tuple[Any, Any]]:
        keywords = {"genre": filters.genres, "language": filters.languages, "country": filters.countries}
        queries = [
            tantivy.Query.term_set_query(self.schema, field, [name.casefold() for name in names])
            for field, names in keywords.items()
            if names
        ]
        names = {NAME_FIELDS["people"]: filters.people, NAME_FIELDS["tags"]: filters.tags}
        queries += [
            tantivy.Query.term_set_query(self.schema, field, [fold_name(name) for name in values])
            for field, values in names.items()
            if values
        ]
        ranges = {
            "year": (filters.year_min, filters.year_max),
            "duration_s": (filters.duration_min_s, filters.duration_max_s),
        }
        queries += [
            tantivy.Query.range_query(self.schema, field, tantivy.FieldType.Integer, low, high)
            for field, (low, high) in ranges.items()
            if (low, high) != (None, None)
        ]
        return [(tantivy.Occur.Must, tantivy.Query.const_score_query(query, 0.0)) for query in queries]


def _join_hits(first: Hits, second: Hits) -> Hits:
    """Returns the first hits and those of the second whose row is not among them."""
    is_new = ~np.isin(second[0], first[0])
    return np.concatenate([first[0], second[0][is_new]]), np.concatenate([first[1], second[1][is_new]])


def open_or_reset(directory: Path) -> TextIndex:
    """Opens the index; empties a damaged one. The caller must hold the lock of the text index."""
    try:
        return TextIndex(directory)
    except DamagedTextIndex:
        shutil.rmtree(directory)
        return TextIndex(directory)


def _read_number(file: Path) -> int:
    """Returns the number in a file; -1 without one."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return -1

"""Reindexing: the serving version copied into a new one with what was learned of its items."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from index_mappings.engine import SearchEngine
from index_mappings.errors import NotFound
from index_mappings.item import Document, FloatVector
from loaders.catalogue import LoadOptions, LoadReport, publish
from ranking.learned import Learned
from ranking.progress import Progress, silent


def reindex(
    engine: SearchEngine, learned: Learned, options: LoadOptions, progress: Progress = silent
) -> LoadReport:
    """Raises NotFound when no version serves yet."""
    version = engine.serving_version()
    if version is None:
        raise NotFound("no index version serves yet; load items first")
    total = next(v.documents for v in engine.versions() if v.name == version)
    return publish(attached(engine.scan(version), learned), engine, options, progress, total)


def attached(batches: Iterable[Sequence[Document]], learned: Learned) -> Iterator[list[Document]]:
    """The documents with the learned vectors and neighbours in place of those they had."""
    by_field = {
        field: dict(zip((i.decode() for i in ids.tolist()), vectors, strict=True))
        for field, (ids, vectors) in learned.vectors.items()
    }
    for batch in batches:
        yield [_attached(document, by_field, learned) for document in batch]


def _attached(
    document: Document, by_field: Mapping[str, Mapping[str, FloatVector]], learned: Learned
) -> Document:
    name = document.item.id
    vectors = {"text": document.vectors["text"]} if "text" in document.vectors else {}
    vectors |= {field: found[name] for field, found in by_field.items() if name in found}
    return Document(document.item, vectors, learned.neighbours.get(name, ()))

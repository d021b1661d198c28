"""Reindexing: the serving version is copied into a new one with newly learned embeddings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from reelrank.index_mappings.encoder import TextEncoder, build_item_text, choose_encoder
from reelrank.index_mappings.engine import SearchEngine
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.item import Document, FloatVector
from reelrank.loaders.items.catalogue import LoadOptions, LoadReport, publish
from reelrank.ranking.embeddings.learn_embeddings import Embeddings
from reelrank.ranking.progress import Progress, ignore_progress


def reindex(
    engine: SearchEngine,
    encoder: TextEncoder,
    embeddings: Embeddings,
    options: LoadOptions,
    progress: Progress = ignore_progress,
) -> LoadReport:
    """Copies the serving version with new embeddings and promotes the copy. Raises NotFound without one."""
    version = engine.serving_version()
    if version is None:
        raise NotFound("no index version is being served; load items first", code="no_items_loaded")
    total = next(v.documents for v in engine.versions() if v.name == version)
    batches = attach_embeddings(scan_documents(engine, version, encoder), embeddings)
    return publish(batches, engine, options, progress, total)


def scan_documents(engine: SearchEngine, version: str, encoder: TextEncoder) -> Iterator[list[Document]]:
    """Yields every document of a version, with the text vector encoded again if another encoder made it."""
    is_current = choose_encoder(encoder, version).name == encoder.name
    for batch in engine.scan(version):
        yield batch if is_current else _encode_again(batch, encoder)


def _encode_again(batch: Sequence[Document], encoder: TextEncoder) -> list[Document]:
    vectors = encoder.encode([build_item_text(document.item) for document in batch])
    return [
        replace(document, vectors={**document.vectors, "text": vector})
        for document, vector in zip(batch, vectors, strict=True)
    ]


def attach_embeddings(
    batches: Iterable[Sequence[Document]], embeddings: Embeddings
) -> Iterator[list[Document]]:
    """Yields the documents with their learned vectors and neighbours replaced."""
    by_field = {
        field: dict(zip((i.decode() for i in ids.tolist()), vectors, strict=True))
        for field, (ids, vectors) in embeddings.vectors.items()
    }
    for batch in batches:
        yield [_attach(document, by_field, embeddings) for document in batch]


def _attach(
    document: Document, by_field: Mapping[str, Mapping[str, FloatVector]], embeddings: Embeddings
) -> Document:
    item_id = document.item.id
    vectors = {"text": document.vectors["text"]} if "text" in document.vectors else {}
    vectors |= {field: by_id[item_id] for field, by_id in by_field.items() if item_id in by_id}
    return Document(document.item, vectors, embeddings.neighbours.get(item_id, ()))

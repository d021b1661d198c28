"""Validation of documents, before any engine gets them: the limits of all engines."""

from collections.abc import Iterator, Sequence

import numpy as np

from reelrank.index_mappings.fields import MAX_NEIGHBOURS, VECTOR_FIELDS
from reelrank.index_mappings.item import Document


def validate_documents(documents: Sequence[Document]) -> list[str | None]:
    """Returns the reason why each document cannot be written, or None where it can."""
    errors = [_validate_document(document) for document in documents]
    for name in VECTOR_FIELDS:
        for index, error in _validate_vectors(documents, name):
            errors[index] = errors[index] or error
    return errors


def _validate_document(document: Document) -> str | None:
    if not document.item.title:
        return "it has no title"
    if unknown := document.vectors.keys() - VECTOR_FIELDS.keys():
        return f"there is no vector field {min(unknown)!r}"
    if len(document.neighbours) > MAX_NEIGHBOURS:
        return f"it has {len(document.neighbours)} neighbours; the most is {MAX_NEIGHBOURS}"
    return None


def _validate_vectors(documents: Sequence[Document], field: str) -> Iterator[tuple[int, str]]:
    """Yields the index and the error of documents whose vector is invalid. Checks all vectors at once."""
    expected = (VECTOR_FIELDS[field].size,)
    shapes = {index: np.shape(d.vectors[field]) for index, d in enumerate(documents) if field in d.vectors}
    for index, shape in shapes.items():
        if shape != expected:
            yield index, f"vector {field!r} has shape {shape}, not {expected}"
    valid = [index for index, shape in shapes.items() if shape == expected]
    vectors = np.array([documents[index].vectors[field] for index in valid]).reshape(-1, *expected)
    for row in np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist():
        yield valid[row], f"vector {field!r} has a value that is not a finite number"

"""What no engine can hold: why a document is rejected before it is sent anywhere."""

from collections.abc import Iterator, Sequence

import numpy as np

from reelrank.index_mappings.fields import MAX_NEIGHBOURS, VECTOR_FIELDS
from reelrank.index_mappings.item import Document


def validate_documents(documents: Sequence[Document]) -> list[str | None]:
    """Why each document cannot be written; None where it can."""
    faults = [_validate_document(document) for document in documents]
    for name in VECTOR_FIELDS:
        for place, fault in _validate_vectors(documents, name):
            faults[place] = faults[place] or fault
    return faults


def _validate_document(document: Document) -> str | None:
    if not document.item.title:
        return "it has no title"
    if unknown := document.vectors.keys() - VECTOR_FIELDS.keys():
        return f"there is no vector field {min(unknown)!r}"
    if len(document.neighbours) > MAX_NEIGHBOURS:
        return f"it has {len(document.neighbours)} neighbours, at most {MAX_NEIGHBOURS} are kept"
    return None


def _validate_vectors(documents: Sequence[Document], field: str) -> Iterator[tuple[int, str]]:
    """Of the documents that have this vector; numbers are looked at together, not document by document."""
    wanted = (VECTOR_FIELDS[field].size,)
    shapes = {place: np.shape(d.vectors[field]) for place, d in enumerate(documents) if field in d.vectors}
    for place, shape in shapes.items():
        if shape != wanted:
            yield place, f"vector {field!r} is of shape {shape}, not {wanted}"
    fitting = [place for place, shape in shapes.items() if shape == wanted]
    numbers = np.array([documents[place].vectors[field] for place in fitting]).reshape(-1, *wanted)
    for row in np.flatnonzero(~np.isfinite(numbers).all(axis=1)).tolist():
        yield fitting[row], f"vector {field!r} holds a value that is no number"

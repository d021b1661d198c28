"""What no engine can hold: why a document is rejected before it is sent anywhere."""

from collections.abc import Iterator, Sequence

import numpy as np

from index_mappings.fields import MAX_NEIGHBOURS, VECTOR_FIELDS
from index_mappings.item import Document


def faults_of(documents: Sequence[Document]) -> list[str | None]:
    """Why each document cannot be written; None where it can."""
    faults = [_fault_of_facts(document) for document in documents]
    for name in VECTOR_FIELDS:
        for place, fault in _vector_faults(documents, name):
            faults[place] = faults[place] or fault
    return faults


def _fault_of_facts(document: Document) -> str | None:
    if not document.item.title:
        return "it has no title"
    if unknown := document.vectors.keys() - VECTOR_FIELDS.keys():
        return f"there is no vector field {min(unknown)!r}"
    if len(document.neighbours) > MAX_NEIGHBOURS:
        return f"it has {len(document.neighbours)} neighbours, at most {MAX_NEIGHBOURS} are kept"
    return None


def _vector_faults(documents: Sequence[Document], name: str) -> Iterator[tuple[int, str]]:
    """Of the documents that have this vector; numbers are looked at together, not document by document."""
    wanted = (VECTOR_FIELDS[name].size,)
    shapes = {place: np.shape(d.vectors[name]) for place, d in enumerate(documents) if name in d.vectors}
    for place, shape in shapes.items():
        if shape != wanted:
            yield place, f"vector {name!r} is of shape {shape}, not {wanted}"
    fitting = [place for place, shape in shapes.items() if shape == wanted]
    numbers = np.array([documents[place].vectors[name] for place in fitting]).reshape(-1, *wanted)
    for row in np.flatnonzero(~np.isfinite(numbers).all(axis=1)).tolist():
        yield fitting[row], f"vector {name!r} holds a value that is no number"

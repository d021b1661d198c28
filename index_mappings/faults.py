"""What no engine can hold: why a document is rejected before it is sent anywhere."""

import numpy as np

from index_mappings.fields import MAX_NEIGHBOURS, VECTOR_FIELDS
from index_mappings.item import Document


def fault_of(document: Document) -> str | None:
    """Why a document cannot be written; None when it can."""
    if not document.item.title:
        return "it has no title"
    for name, vector in document.vectors.items():
        if name not in VECTOR_FIELDS:
            return f"there is no vector field {name!r}"
        if np.shape(vector) != (VECTOR_FIELDS[name].size,):
            return f"vector {name!r} is of shape {np.shape(vector)}, not ({VECTOR_FIELDS[name].size},)"
        if not np.isfinite(vector).all():
            return f"vector {name!r} holds a value that is no number"
    if len(document.neighbours) > MAX_NEIGHBOURS:
        return f"it has {len(document.neighbours)} neighbours, at most {MAX_NEIGHBOURS} are kept"
    return None

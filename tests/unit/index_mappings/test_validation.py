"""Validation of documents: each gets its own error, independent of the others in its batch."""

from typing import Any

import numpy as np

from reelrank.index_mappings.fields import MAX_NEIGHBOURS, VECTOR_FIELDS, validate_documents
from reelrank.index_mappings.item import Document, Item, Neighbour

SIZE = VECTOR_FIELDS["factors"].size


def build_document(title: str = "A film", **vectors: Any) -> Document:
    return Document(Item("id", title), vectors)


def test_each_document_of_a_batch_has_its_own_error_or_none() -> None:
    valid, nans = np.ones(SIZE, np.float32), np.full(SIZE, np.nan, np.float32)
    neighbours = (Neighbour("n", 0.5),) * (MAX_NEIGHBOURS + 1)
    cases = {
        "valid": (build_document(factors=valid), None),
        "short vector": (
            build_document(factors=valid[:3]),
            f"vector 'factors' has shape (3,), not ({SIZE},)",
        ),
        "no vector": (build_document(), None),
        "nan": (build_document(factors=nans), "vector 'factors' has a value that is not a finite number"),
        "no title": (build_document(title="", factors=nans), "it has no title"),
        "unknown field": (build_document(colour=valid), "there is no vector field 'colour'"),
        "too many neighbours": (
            Document(Item("id", "A film"), {}, neighbours),
            f"it has {MAX_NEIGHBOURS + 1} neighbours; the most is {MAX_NEIGHBOURS}",
        ),
        "valid again": (build_document(factors=valid), None),
    }
    errors = validate_documents([document for document, _ in cases.values()])
    assert dict(zip(cases, errors, strict=True)) == {name: error for name, (_, error) in cases.items()}


def test_no_documents_have_no_errors() -> None:
    assert validate_documents([]) == []

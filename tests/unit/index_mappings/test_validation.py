"""Documents that no engine can hold: each with its own reason, whatever stands beside it in the batch."""

from typing import Any

import numpy as np

from reelrank.index_mappings.fields import MAX_NEIGHBOURS, VECTOR_FIELDS
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.validation import validate_documents

SIZE = VECTOR_FIELDS["factors"].size


def build_document(title: str = "A film", **vectors: Any) -> Document:
    return Document(Item("id", title), vectors)


def test_each_of_a_batch_has_its_own_fault_or_none() -> None:
    fine, no_number = np.ones(SIZE, np.float32), np.full(SIZE, np.nan, np.float32)
    crowded = Document(Item("id", "A film"), {}, (Neighbour("n", 0.5),) * (MAX_NEIGHBOURS + 1))
    faults = {
        "fine": (build_document(factors=fine), None),
        "short": (build_document(factors=fine[:3]), f"vector 'factors' is of shape (3,), not ({SIZE},)"),
        "without": (build_document(), None),
        "no number": (build_document(factors=no_number), "vector 'factors' holds a value that is no number"),
        "untitled": (build_document(title="", factors=no_number), "it has no title"),
        "unknown": (build_document(colour=fine), "there is no vector field 'colour'"),
        "crowded": (crowded, f"it has {MAX_NEIGHBOURS + 1} neighbours, at most {MAX_NEIGHBOURS} are kept"),
        "fine too": (build_document(factors=fine), None),
    }
    assert validate_documents([each for each, _ in faults.values()]) == [
        fault for _, fault in faults.values()
    ]


def test_no_documents_have_no_faults() -> None:
    assert validate_documents([]) == []

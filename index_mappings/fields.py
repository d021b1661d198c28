"""How each field of an item is indexed: text weights, keyword filters, dense vectors, neighbours.

Documents are validated against these limits before any engine gets them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reelrank.index_mappings.item import Document

TITLE = "title"
TEXT_FIELDS: dict[str, float] = {
    TITLE: 1.0,
    "people": 0.6,
    "genres": 0.35,
    "tags": 0.35,
    "description": 1.0,
}
"""Searched text fields, with the weight of the BM25 score of each in their sum.

Chosen on the training queries of SciFact (NDCG@10 0.692 with a title of 0.5, 0.678 with 1, 0.586 with 3) and
on titles of the demo and of 36,273 films with descriptions (0.5 finds 0.83 of them first, 1 finds 0.87).
Whole titles lead a search by themselves, so prose decides between the two.
"""

BM25_K1 = 1.2  # Robertson & Zaragoza 2009; Lucene's and tantivy's default, so engines agree.
BM25_B = 0.75

KEYWORD_FIELDS = {"genres": "genres", "language": "languages", "country": "countries"}
"""Keyword field of an index to the list of an item that fills it; a filter matches any value of it."""
NAME_FIELDS = {"people": "person_key", "tags": "tag_key"}
"""List of an item that a filter compares by folded whole names, and the keyword field of these on servers."""
RANGE_FIELDS = ("year", "duration_s")


@dataclass(frozen=True, slots=True)
class VectorField:
    """A dense-vector field. Every stored vector has unit length and is compared by cosine."""

    name: str
    size: int
    learned: bool


VECTOR_FIELDS: dict[str, VectorField] = {
    "text": VectorField("text", 256, learned=False),
    "factors": VectorField("factors", 64, learned=True),
    "session": VectorField("session", 64, learned=True),
}
"""text: the text encoder. factors: matrix factorisation, 63 factors and one coordinate that makes
cosine order equal inner-product order (Bachrach et al. 2014, "Speeding up the Xbox recommender").
session: item2vec over watch sessions (Barkan & Koenigstein 2016; Store2Vec)."""

MAX_NEIGHBOURS = 64
NEIGHBOUR_LEVELS = 16
"""Neighbour weights are quantised to this many levels, so that any server can store them as keyword terms
`itemid|level` and sum their boosts exactly."""


def to_neighbour_level(weight: float) -> int:
    """Returns the level, 1 to NEIGHBOUR_LEVELS, that is nearest to a weight in (0, 1]."""
    return max(1, min(NEIGHBOUR_LEVELS, round(weight * NEIGHBOUR_LEVELS)))


def to_neighbour_weight(level: int) -> float:
    """Returns the weight of a level, in (0, 1]."""
    return level / NEIGHBOUR_LEVELS


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

"""Converts documents to and from the JSON of a server. Vectors are stored twice: for search, and as given.

The mapping excludes the searched vectors from `_source`: they are four times the size there, and some server
versions exclude them by themselves.
"""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from reelrank.index_mappings.fields import (
    NAME_FIELDS,
    TEXT_FIELDS,
    VECTOR_FIELDS,
    to_neighbour_level,
    to_neighbour_weight,
)
from reelrank.index_mappings.item import SINGULAR_NAMES, Document, Item, Neighbour, decode_item
from reelrank.index_mappings.mapping import WORDS, format_neighbour_term, name_vector_property
from reelrank.index_mappings.text import fold_name, prepare_text

STORED_PROPERTIES = (*Item.__slots__, *SINGULAR_NAMES.values())
LEARNED_PROPERTIES = ("vectors", "neighbours")


def encode_document(document: Document) -> dict[str, Any]:
    """Builds the JSON body of a document; vectors stay numpy arrays."""
    item = document.item
    values = {name: getattr(item, name) for name in STORED_PROPERTIES}
    fields = {name: value for name, value in values.items() if value not in ("", (), None)}
    keys = {
        "genre_key": [genre.casefold() for genre in item.genres],
        "language_key": [language.casefold() for language in item.languages],
        "country_key": [country.casefold() for country in item.countries],
        **{key: [fold_name(name) for name in getattr(item, field)] for field, key in NAME_FIELDS.items()},
    }
    vectors = {name: np.asarray(v, np.float32) for name, v in document.vectors.items()}
    # Servers reject a zero vector for cosine similarity.
    searched = {name_vector_property(name): v for name, v in vectors.items() if v.any()}
    encoded = {name: base64.b64encode(v.tobytes()).decode() for name, v in vectors.items()}
    return {
        **fields,
        WORDS: {name: _prepare(fields[name]) for name in TEXT_FIELDS if name in fields},
        **{name: key for name, key in keys.items() if key},
        **({} if item.year is None else {"year": item.year}),
        **searched,
        **({"vectors": encoded} if encoded else {}),
        **({"neighbours": encode_neighbours(document)} if document.neighbours else {}),
    }


def remove_searched_fields(source: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a source without what is only searched: words, and the vectors for kNN search."""
    searched = {WORDS, *(name_vector_property(name) for name in VECTOR_FIELDS)}
    return {name: value for name, value in source.items() if name not in searched}


def _prepare(value: str | tuple[str, ...]) -> str | list[str]:
    return prepare_text(value) if isinstance(value, str) else [prepare_text(text) for text in value]


def encode_neighbours(document: Document) -> list[str]:
    return [format_neighbour_term(n.id, to_neighbour_level(n.weight)) for n in document.neighbours]


def decode_document(source: Mapping[str, Any]) -> Document:
    encoded = source.get("vectors", {})
    vectors = {
        name: np.frombuffer(base64.b64decode(encoded[name]), np.float32)
        for name in VECTOR_FIELDS
        if name in encoded
    }
    terms = (term.rpartition("|") for term in source.get("neighbours", ()))
    neighbours = tuple(Neighbour(item_id, to_neighbour_weight(int(level))) for item_id, _, level in terms)
    return Document(decode_item(source), vectors, neighbours)


def merge_missing_fields(document: Document, stored: Document | None) -> Document:
    """Returns the document with the vectors and neighbours that only the stored one has."""
    if stored is None:
        return document
    vectors = {**stored.vectors, **document.vectors}
    return Document(document.item, vectors, document.neighbours or stored.neighbours)


def with_learned_fields(document: Document, stored: Document | None) -> Document:
    """Returns the document with all learned fields of the stored one, and its text vector if it has none."""
    if stored is None:
        return document
    own = {name: v for name, v in document.vectors.items() if not VECTOR_FIELDS[name].learned}
    return Document(document.item, {**stored.vectors, **own}, stored.neighbours)

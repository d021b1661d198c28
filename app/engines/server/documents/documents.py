"""Documents as a server holds them, and back. Vectors stand twice: as searched, and as they were given.

The searched ones are left out of `_source` by the mapping: they are four times the size there, and
some versions drop them from it themselves.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from reelrank.index_mappings.fields import VECTOR_FIELDS, to_neighbour_level, to_neighbour_weight
from reelrank.index_mappings.item import Document, Item, Neighbour
from reelrank.index_mappings.mapping import format_neighbour_term, name_vector_property

ITEM_PROPERTIES = tuple(name for name in Item.__slots__)
LIST_FIELDS = ("tags", "genres", "people")
LEARNED_PROPERTIES = ("vectors", "neighbours")


def encode_document(document: Document) -> dict[str, Any]:
    """What is sent for a document; numpy vectors stay numpy."""
    item = document.item
    facts = {name: getattr(item, name) for name in ITEM_PROPERTIES}
    stated = {name: fact for name, fact in facts.items() if fact not in ("", (), None)}
    keys = {
        "genre_key": [genre.casefold() for genre in item.genres],
        "language_key": item.language.casefold(),
        "country_key": item.country.casefold(),
    }
    vectors = {name: np.asarray(v, np.float32) for name, v in document.vectors.items()}
    # No server takes a vector of zeros for cosine, and none should find one.
    searched = {name_vector_property(name): v for name, v in vectors.items() if v.any()}
    kept = {name: base64.b64encode(v.tobytes()).decode() for name, v in vectors.items()}
    return {
        **stated,
        **{name: key for name, key in keys.items() if key},
        **({} if item.year is None else {"year": item.year}),
        **searched,
        **({"vectors": kept} if kept else {}),
        **({"neighbours": encode_neighbours(document)} if document.neighbours else {}),
    }


def kept_source(source: Mapping[str, Any]) -> dict[str, Any]:
    """A source without the vectors that are searched: what an index gives back of it."""
    searched = {name_vector_property(name) for name in VECTOR_FIELDS}
    return {name: value for name, value in source.items() if name not in searched}


def encode_neighbours(document: Document) -> list[str]:
    return [format_neighbour_term(n.id, to_neighbour_level(n.weight)) for n in document.neighbours]


def decode_item(source: Mapping[str, Any]) -> Item:
    facts = {name: source[name] for name in ITEM_PROPERTIES if name in source}
    for name in LIST_FIELDS:
        facts[name] = tuple(facts.get(name, ()))
    if "published_at" in facts:
        facts["published_at"] = datetime.fromisoformat(facts["published_at"])
    return Item(**facts)


def decode_document(source: Mapping[str, Any]) -> Document:
    kept = source.get("vectors", {})
    vectors = {
        name: np.frombuffer(base64.b64decode(kept[name]), np.float32)
        for name in VECTOR_FIELDS
        if name in kept
    }
    terms = (term.rpartition("|") for term in source.get("neighbours", ()))
    neighbours = tuple(Neighbour(name, to_neighbour_weight(int(level))) for name, _, level in terms)
    return Document(decode_item(source), vectors, neighbours)


def merge_missing_fields(document: Document, stored: Document | None) -> Document:
    """The document with those vectors and neighbours of the known one that it does not bring."""
    if stored is None:
        return document
    vectors = {**stored.vectors, **document.vectors}
    return Document(document.item, vectors, document.neighbours or stored.neighbours)


def with_learned_fields(document: Document, stored: Document | None) -> Document:
    """The document with all learned fields of the stored one, and its text vector if it has none itself."""
    if stored is None:
        return document
    own = {name: v for name, v in document.vectors.items() if not VECTOR_FIELDS[name].learned}
    return Document(document.item, {**stored.vectors, **own}, stored.neighbours)

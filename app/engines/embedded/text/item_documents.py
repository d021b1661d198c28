"""The documents of the tantivy index: its schema, and the fields of an item in it."""

from typing import Any

import orjson
import tantivy

from reelrank.app.engines.embedded.store.documents import parse_year
from reelrank.app.engines.embedded.text.analysis import separate_words_batch
from reelrank.index_mappings.fields import NAME_FIELDS, TEXT_FIELDS
from reelrank.index_mappings.item import read_list
from reelrank.index_mappings.text import fold_name, prepare_text

ANALYZER = "reelrank"
KEYWORD_LISTS = {"genre": "genres", "language": "languages", "country": "countries"}
"""Keyword field of the index to the list of an item that fills it, case-folded."""


def build_schema() -> Any:
    """Builds the schema: analysed texts, folded keywords, and numbers to filter by."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("row", fast=True)
    for field in TEXT_FIELDS:
        builder.add_text_field(field, tokenizer_name=ANALYZER, index_option="freq")
    for field in (*KEYWORD_LISTS, *NAME_FIELDS.values()):
        builder.add_text_field(field, tokenizer_name="raw", index_option="basic")
    for field in ("year", "duration_s"):
        builder.add_integer_field(field, indexed=True, fast=True)
    return builder.build()


def build_fields(row: int, item_id: str, body: bytes) -> dict[str, Any]:
    """Builds the fields of one item for `tantivy.Document.from_dict`."""
    item = orjson.loads(body)
    year = parse_year(item)
    texts = [prepare_text(_join_text(item.get(field, ""))) for field in TEXT_FIELDS]
    fields: dict[str, Any] = {
        "id": [item_id],
        "row": [row],
        **{
            field: [name.casefold() for name in read_list(item, plural)]
            for field, plural in KEYWORD_LISTS.items()
        },
        **{key: [fold_name(name) for name in read_list(item, plural)] for plural, key in NAME_FIELDS.items()},
        **{
            field: [text]
            for field, text in zip(TEXT_FIELDS, separate_words_batch(texts), strict=True)
            if text
        },
    }
    if year is not None:
        fields["year"] = [year]
    if "duration_s" in item:
        fields["duration_s"] = [item["duration_s"]]
    return fields


def _join_text(value: str | list[str]) -> str:
    """Joins a list of names; BM25 ignores positions."""
    return value if isinstance(value, str) else " \n".join(value)

"""Shapes of JSON in which records come: search hits, bulk requests, API answers, extended JSON of MongoDB."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

BULK_ACTIONS = {"index", "create", "update", "delete"}
RECORD_LISTS = ("results", "items", "data", "docs", "records", "rows", "movies", "films", "videos", "talks")
"""Names under which an answer of an API or a document lists its records."""


def list_records(value: Any) -> list[Any]:
    """Returns the records in a value: those of a search answer or of a wrapping object, else the value."""
    if not isinstance(value, dict):
        return [value]
    if isinstance(found := value.get("hits"), dict) and isinstance(found.get("hits"), list):
        return [read_hit(hit) for hit in found["hits"]]
    if isinstance(found := value.get("response"), dict) and isinstance(found.get("docs"), list):  # Solr
        return list(found["docs"])
    if not is_record(value):
        for name in RECORD_LISTS:
            found = value.get(name)
            if isinstance(found, list) and found and all(isinstance(record, dict) for record in found):
                return found
    return [read_hit(value)]


def is_record(value: Mapping[str, Any]) -> bool:
    """Returns whether an object has an id or a title, so that it is a record and does not wrap records."""
    return any(name.lower().strip("_") in ("id", "title", "name", "source") for name in value)


def read_hit(value: Any) -> Any:
    """Returns the document of a search hit with its id, such as a line of elasticdump; else the value."""
    if isinstance(value, dict) and isinstance(value.get("_source"), dict):
        hit_id = {"_id": value["_id"]} if "_id" in value else {}
        return {**value["_source"], **hit_id}
    return value


def read_action(value: Any) -> tuple[str, Mapping[str, Any]] | None:
    """Returns the action of a line of a bulk request and its metadata, None if it is not an action."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((action, metadata),) = value.items()
    is_action = action in BULK_ACTIONS and isinstance(metadata, dict)
    if is_action and all(
        name.startswith("_") or name in ("routing", "retry_on_conflict") for name in metadata
    ):
        return action, metadata
    return None


def read_bulk_document(action: str, metadata: Mapping[str, Any], value: Any) -> Any:
    """Returns the document of a bulk action with its id."""
    if action == "update" and isinstance(value, dict) and isinstance(value.get("doc"), dict):
        value = value["doc"]
    if isinstance(value, dict) and "_id" in metadata:
        return {**value, "_id": metadata["_id"]}
    return value


def unwrap_extended(value: Any) -> Any:
    """Returns a value without the type wrappers of MongoDB: {"$oid": "5"} is "5"."""
    if isinstance(value, list):
        return [unwrap_extended(part) for part in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name == "$date":
            return _read_date(unwrap_extended(inner))
        if name in ("$oid", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal"):
            return inner
    return {name: unwrap_extended(inner) for name, inner in value.items()}


def has_extended(text: bytes) -> bool:
    """Returns whether a text has type wrappers of MongoDB."""
    return b'"$oid"' in text or b'"$date"' in text or b'"$number' in text


def _read_date(value: Any) -> Any:
    """Returns milliseconds since 1970 as a date; MongoDB writes dates after 1970 as text."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(value))).isoformat()
    except (ValueError, TypeError, OverflowError):
        return value

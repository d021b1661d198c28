"""Serialization of pages and items for JSON answers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from reelrank.app.search.lexical.suggestions import Suggestion
from reelrank.app.search.page import Hit, Page, Row, SearchOutcome
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.item import SINGULAR_NAMES, Item


def serialize_page(page: Page, path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Serializes one page of a list. `next` is the address of the next page, None at the end.

    parameters: those that the next page needs as well.
    """
    answer: dict[str, Any] = {
        "request_id": page.request_id,
        "model": page.model,
        "index_version": page.version,
        "degraded": [str(missing) for missing in page.degraded],
        "candidates": page.candidates,
        "hits": [_serialize_hit(hit, page.fields) for hit in page.hits],
        "cursor": page.cursor,
        "next": f"{path}?{urlencode({'cursor': page.cursor, **parameters})}" if page.cursor else None,
    }
    if page.search is not None:
        answer |= serialize_outcome(page.search)
    if page.rows:
        answer["rows"] = [_serialize_row(row, page.fields) for row in page.rows]
    return answer | ({"facets": page.facets} if page.facets else {})


def _serialize_row(row: Row, fields: Sequence[str]) -> dict[str, Any]:
    """Serializes a row: its kind, the list that it is a part of, and the genre or item that it is about."""
    about: dict[str, Any] = {"genre": row.label} if row.label else {}
    if row.watched is not None:
        about["watched"] = serialize_item(row.watched)
    return {
        "kind": row.kind,
        "request_id": row.request_id,
        **about,
        "hits": [_serialize_hit(hit, fields) for hit in row.hits],
    }


def serialize_outcome(outcome: SearchOutcome) -> dict[str, Any]:
    """Serializes what a search matched; a total with relation "gte" is a lower bound."""
    relation = {False: "eq", True: "gte"}
    answer = {
        "match": outcome.match, "total": outcome.total, "total_relation": relation[outcome.is_lower_bound]
    }  # fmt: skip
    if outcome.all_words is not None:
        answer["total_all_words"] = outcome.all_words
        answer["total_all_words_relation"] = relation[outcome.all_words_is_lower_bound]
    optional = {
        "message": outcome.message,
        "did_you_mean": outcome.did_you_mean,
        "suggestions": outcome.suggestions,
    }
    return answer | {name: value for name, value in optional.items() if value}


def serialize_suggestion(suggestion: Suggestion) -> dict[str, Any]:
    """Serializes the fields that apply to a title or to a person."""
    answer: dict[str, Any] = {"kind": suggestion.kind, "text": suggestion.text}
    if suggestion.kind == "person":
        return answer | {"items": suggestion.items}
    return answer | {"id": suggestion.item_id} | ({"year": suggestion.year} if suggestion.year else {})


def serialize_ranking(result_list: ResultList) -> dict[str, Any]:
    """Serializes the ranking of a caller's own candidates: ids and scores, best first."""
    limit = result_list.query.limit
    return {
        "request_id": result_list.request_id,
        "model": result_list.model,
        "degraded": [str(missing) for missing in result_list.degraded],
        "ids": [item_id.decode() for item_id in result_list.candidates.ids[:limit].tolist()],
        "scores": result_list.scores[:limit].tolist(),
    }


def serialize_item(item: Item) -> dict[str, Any]:
    """Serializes the fields that have a value, the first language and country, and the year."""
    fields = {name: getattr(item, name) for name in (*Item.__slots__, *SINGULAR_NAMES.values())}
    present = {name: value for name, value in fields.items() if value not in ("", (), None)}
    return present | ({} if item.year is None else {"year": item.year})


def _serialize_hit(hit: Hit, fields: Sequence[str]) -> dict[str, Any]:
    """Serializes a hit with its id and these fields of its item; with all of them when none are named."""
    item = serialize_item(hit.item)
    selected = {name: item[name] for name in ("id", *fields) if name in item} if fields else item
    answer = selected | {
        "position": hit.position,
        "score": hit.score,
        "sources": hit.sources,
    }
    if hit.match is not None:
        answer["match"] = hit.match
    if hit.highlight:
        answer["highlight"] = hit.highlight
    if hit.exploration_slot is not None:
        answer["drawn"] = {
            "propensity": hit.exploration_slot.propensity,
            "came_from": hit.exploration_slot.ranked_position,
        }
    if hit.explanation is not None:
        explanation = asdict(hit.explanation)
        matches = hit.explanation.matches.items()
        explanation["matches"] = {source: {"rank": rank, "score": score} for source, (rank, score) in matches}
        answer["explanation"] = explanation
    return answer

"""Rules between fields, which OpenAPI cannot express, for schemathesis."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import schemathesis
from schemathesis.generation import GenerationMode

from reelrank.index_mappings.item import is_blank

PAST, PAST_MS = "2026", 1_767_225_600_000
"""Later events may be refused as of the future."""
RANGES = (("year_min", "year_max"), ("duration_min_s", "duration_max_s"))


@schemathesis.hook
def filter_case(_context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> bool:
    name = case.operation.definition.raw["operationId"]
    is_unordered = not are_ranges_ordered(case.query or {})
    if is_unordered or has_blank_title(case.body) or not has_whole_arms(case.body):
        return False
    if name == "search":
        return has_text_or_cursor(case.query or {})
    if name == "search_by_body" and isinstance(case.body, dict):
        return has_text_or_cursor(case.body) and are_ranges_ordered(case.body)
    if name == "rank" and isinstance(case.body, dict):
        return are_columns_complete(case.body)
    if name == "append_events":
        rows = case.body if isinstance(case.body, list) else [case.body]
        return all(is_consistent_event(row) for row in rows if isinstance(row, dict))
    return True


@schemathesis.hook
def map_case(_context: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> "schemathesis.Case[Any]":
    """Lets the body of a valid write state the id of its address, if it states one."""
    is_write = case.operation.definition.raw["operationId"] in ("put_item", "patch_item")
    is_valid = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if is_write and is_valid and isinstance(case.body, dict) and isinstance(case.body.get("id"), str):
        case.body = case.body | {"id": unquote(case.path_parameters["item_id"])}
    return case


def has_whole_arms(body: Any) -> bool:
    """Arms have names of their own, shares that add up to 1, and values of which each has its own bounds."""
    arms = body.get("arms") if isinstance(body, dict) else None
    if not isinstance(arms, list) or not all(isinstance(arm, dict) for arm in arms):
        return True
    shares = [arm.get("share") for arm in arms if isinstance(arm.get("share"), int | float)]
    has_names = len({str(arm.get("name")) for arm in arms}) == len(arms)
    return has_names and abs(sum(shares) - 1) < 1e-9 and not any(arm.get("config") for arm in arms)


def has_blank_title(body: Any) -> bool:
    """A title needs a visible character, which takes a list of all invisible ones to express."""
    return isinstance(body, dict) and isinstance(body.get("title"), str) and is_blank(body["title"])


def are_ranges_ordered(values: Mapping[str, Any]) -> bool:
    """Values of a query are text, those of a body numbers."""
    return all(
        float(values[low]) <= float(values[high])
        for low, high in RANGES
        if is_number(values.get(low)) and is_number(values.get(high))
    )


def is_number(value: object) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and value.lstrip("-").isdecimal())


def has_text_or_cursor(values: Mapping[str, Any]) -> bool:
    return bool(str(values.get("q") or "").strip() or values.get("cursor"))


def are_columns_complete(body: Mapping[str, Any]) -> bool:
    ids, scores = body.get("ids"), body.get("scores", {})
    if not isinstance(ids, list) or not isinstance(scores, dict):
        return True
    return len(set(map(str, ids))) == len(ids) and all(
        not isinstance(column, list) or len(column) == len(ids) for column in scores.values()
    )


def are_seconds(time: object) -> bool:
    """Returns whether a time is refused because it is of these decades in seconds."""
    return isinstance(time, int) and 0 < time < PAST_MS // 100


def is_consistent_event(row: Mapping[str, Any]) -> bool:
    """An event states one time, not in the future; names an item unless it is a search; or a whole slot."""
    stated = str(row.get("at") or ""), row.get("at_ms") or 0
    if stated[0] > PAST or (isinstance(stated[1], int) and stated[1] > PAST_MS):
        return False
    if any(are_seconds(row.get(name)) for name in ("at_ms", "started_ms")):
        return False
    slot = [row.get(name) is not None for name in ("propensity", "came_from")]
    is_slot = all(slot) and row.get("position") is not None and row.get("kind") == "impression"
    return (
        (row.get("at") is None or row.get("at_ms") is None)
        and (not any(slot) or (is_slot and bool(row["propensity"])))
        and (bool(row.get("item")) or row.get("kind") == "search")
    )

"""The rules of attribution as plain loops over rows: slow and obvious, to check the SQL against.

Rows are dictionaries with the columns that `attribution.py` names. Nothing outside of tests calls this.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reelrank.index_mappings.event import DISLIKE_KINDS, LIKE_KINDS, OPINION_KINDS
from reelrank.ranking.labels.attribution import (
    ACTION_KINDS,
    AttributionRules,
    AttributionSpan,
)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing a viewer did with an item at time_ms; a watch is one play, with its longest time."""

    kind: str
    id: str
    user_key: str
    item: str
    request_id: str
    time_ms: int
    position: int | None
    watched_ms: int | None = None
    duration_ms: int | None = None


def attribute_slowly(
    requests: Iterable[Row],
    candidates: Iterable[Row],
    events: Iterable[Row],
    span: AttributionSpan,
    rules: AttributionRules,
) -> list[dict[str, Any]]:
    """Returns the rows of ATTRIBUTION_SCHEMA for the pages of a span, in its order."""
    shown = _find_shown_items(requests, candidates, span, rules)
    known = _select_events(events, span, rules)
    actions = [_to_action(event) for event in known if event["kind"] != "watch"] + _merge_plays(known, rules)
    followed: dict[tuple[str, str], list[Action]] = {(row["request_id"], row["item"]): [] for row in shown}
    for action in actions:
        page = _find_page(action, shown, rules)
        if page is not None:
            late = replace(action, time_ms=max(action.time_ms, page["at_ms"]))
            followed[page["request_id"], page["item"]].append(late)
    reporting = {request for (request, _), acts in followed.items() if any(a.kind == "viewed" for a in acts)}
    rows = [
        _judge(row, followed[row["request_id"], row["item"]], row["request_id"] in reporting, span, rules)
        for row in shown
        if row["at_ms"] < span.to_ms
    ]
    return sorted(rows, key=lambda row: (row["request_id"], row["position"], row["item"]))


def _find_shown_items(
    requests: Iterable[Row], candidates: Iterable[Row], span: AttributionSpan, rules: AttributionRules
) -> list[dict[str, Any]]:
    """Joins the pages of the span and the look-ahead with what they showed, each request and item once."""
    pages: dict[str, Row] = {}
    for request in sorted(requests, key=lambda r: (r["at_ms"], r["user_key"], r["surface"])):
        is_near = span.from_ms <= request["at_ms"] < span.to_ms + rules.look_ahead_ms
        if is_near and request["at_ms"] <= span.as_of_ms:
            pages.setdefault(request["request_id"], request)
    shown: dict[tuple[str, str], dict[str, Any]] = {}
    for candidate in sorted(candidates, key=lambda c: c["position"]):
        page = pages.get(candidate["request_id"])
        if candidate["shown"] and page is not None:
            row = {**page, "item": candidate["item"], "position": candidate["position"]}
            shown.setdefault((row["request_id"], row["item"]), row)
    return list(shown.values())


def _select_events(
    events: Iterable[Row], span: AttributionSpan, rules: AttributionRules
) -> list[dict[str, Any]]:
    """Selects the events that count, each id once, with the times at which they and their plays began."""
    first: dict[str, Row] = {}
    for event in sorted(events, key=_rank_copy):
        if event["kind"] in rules.windows_ms and _get_known_ms(event) <= span.as_of_ms:
            first.setdefault(event["id"], event)
    selected = []
    for event in first.values():
        when = min(event["at_ms"], _get_known_ms(event))
        is_near = span.from_ms - rules.look_back_ms <= when < span.to_ms + rules.look_ahead_ms
        if is_near and event["item"]:
            watched = None if event["watched_ms"] is None else max(event["watched_ms"], 0)
            began = event["at_ms"] - (watched or 0)
            if event["started_ms"] is not None:
                began = min(event["started_ms"], event["at_ms"])
            times = {"when_ms": when, "began_ms": began, "start_ms": began - (event["at_ms"] - when)}
            selected.append({**event, **times, "watched_ms": watched})
    return selected


def _get_known_ms(event: Row) -> int:
    return int(event["at_ms"] if event["received_ms"] is None else event["received_ms"])


def _rank_copy(event: Row) -> tuple[object, ...]:
    numbers = [event[name] for name in ("started_ms", "watched_ms", "duration_ms", "position")]
    texts = [event[name] for name in ("kind", "user_key", "item", "request_id", "play_id")]
    return (_get_known_ms(event), event["at_ms"], *texts, *[(n is not None, n or 0) for n in numbers])


def _to_action(event: Row) -> Action:
    names = ("kind", "id", "user_key", "item", "request_id", "when_ms", "position")
    return Action(*(event[name] for name in names))


def _merge_plays(events: list[dict[str, Any]], rules: AttributionRules) -> list[Action]:
    """Merges the watch events of each play into one action."""
    plays: dict[object, list[dict[str, Any]]] = {}
    last_guess: dict[object, tuple[int, int]] = {}
    for event in sorted(_share_pages(events), key=lambda e: (e["began_ms"], e["id"])):
        viewing = (event["user_key"], event["item"], event["request_id"])
        key: object = ("id", viewing, event["play_id"])
        if not event["play_id"] and event["started_ms"] is not None:
            key = ("start", viewing, event["started_ms"])
        elif not event["play_id"]:
            previous, number = last_guess.get(viewing, (event["began_ms"], 0))
            number += event["began_ms"] > previous + rules.same_play_ms
            last_guess[viewing] = (event["began_ms"], number)
            key = ("guess", viewing, number)
        plays.setdefault(key, []).append(event)
    return [_merge_play(parts) for parts in plays.values()]


def _share_pages(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the watch events; those of a play that lack its page get the page of the others."""
    watches = [event for event in events if event["kind"] == "watch"]
    shared = []
    for event in watches:
        play = [event[name] for name in ("user_key", "item", "play_id")]
        same = [e for e in watches if [e[name] for name in ("user_key", "item", "play_id")] == play]
        pages = {e["request_id"] for e in same}
        page = event["request_id"] or (max(pages) if event["play_id"] else "")
        shared.append({**event, "request_id": page})
    return shared


def _merge_play(parts: list[dict[str, Any]]) -> Action:
    def known(name: str) -> list[int]:
        return [part[name] for part in parts if part[name] is not None]

    return Action(
        "watch",
        min(part["id"] for part in parts),
        parts[0]["user_key"],
        parts[0]["item"],
        parts[0]["request_id"],
        min(part["start_ms"] for part in parts),
        min(known("position"), default=None),
        max(known("watched_ms"), default=None),
        max((duration for duration in known("duration_ms") if duration > 0), default=None),
    )


def _find_page(action: Action, shown: list[dict[str, Any]], rules: AttributionRules) -> dict[str, Any] | None:
    """Finds the shown item that an action is attributed to."""
    same_item = [row for row in shown if row["item"] == action.item]
    if action.request_id:
        pages = [row for row in same_item if row["request_id"] == action.request_id]
        earliest_ms = -rules.clock_skew_ms
    else:
        pages = [row for row in same_item if action.user_key and row["user_key"] == action.user_key]
        earliest_ms = 0
    delays = [(row, action.time_ms - row["at_ms"]) for row in pages]
    in_time = [row for row, delay in delays if earliest_ms <= delay <= rules.windows_ms[action.kind]]  # type: ignore[index]
    return max(in_time, key=lambda row: (row["at_ms"], row["request_id"]), default=None)


def _judge(
    row: Row, actions: list[Action], is_reporting: bool, span: AttributionSpan, rules: AttributionRules
) -> dict[str, Any]:
    kinds = {action.kind for action in actions}
    did = sorted((a for a in actions if a.kind != "viewed"), key=lambda a: (a.time_ms, a.id))
    seen = bool(actions) or not is_reporting
    window_ms = rules.windows_ms.get("watch", 0)
    watched = max((a.watched_ms for a in actions if a.watched_ms is not None), default=None)
    duration = max((a.duration_ms for a in actions if a.duration_ms is not None), default=None)
    share = _compute_share(watched, duration, rules)
    opinions = [action for action in actions if action.kind in OPINION_KINDS]
    newest = min(opinions, key=lambda a: (-a.time_ms, a.id)).kind if opinions else ""
    return {
        **{name: row[name] for name in ("request_id", "user_key", "surface", "at_ms", "item", "position")},
        "seen": seen,
        "is_seen_known": is_reporting,
        "clicked": "click" in kinds,
        "played": "watch" in kinds,
        "missed": seen and "watch" not in kinds and row["at_ms"] + window_ms <= span.as_of_ms,
        "watched_ms": watched,
        "duration_ms": duration,
        "watched_share": share,
        "completed": share is not None and share >= rules.completed_share,
        "quick_skip": share is not None and share < rules.quick_skip_share,
        "liked": newest in LIKE_KINDS,
        "disliked": newest in DISLIKE_KINDS,
        "action_kinds": " ".join(kind for kind in ACTION_KINDS if kind in kinds),
        "first_event_kind": did[0].kind if did else None,
        "first_event_ms": did[0].time_ms if did else None,
        "first_event_position": did[0].position if did else None,
    }


def _compute_share(watched: int | None, duration: int | None, rules: AttributionRules) -> float | None:
    if watched is None:
        return None
    if duration is None:
        return 0.0 if watched < rules.quick_skip_ms else None
    return min(watched / duration, 1.0)

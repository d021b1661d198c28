"""Mutations that keep JSON whole, so that what is behind the parser is reached, too."""

import random
from collections.abc import Callable
from typing import Any

import orjson

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, -(2**63), 2**64 - 1, 1e308, -1e308, 5e-324, 0.5, "", " ",
    "a", "\x00", "\ud7ff", "1", "-1", "nan", "2026-11-27", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "2026-11-27T12:00:00Z", "x" * 300, [], {}, [[]], [None], {"a": {}}, {"": []},
    {"$date": "a"}, {"name": 1},
)  # fmt: skip
MAX_NESTED = 300


def mutate_json(data: bytes, seed: int) -> bytes | None:
    """Replaces, removes, repeats or wraps one value of a JSON document; None when it is none."""
    prefix, text = (data[:1], data[1:]) if data[1:2] == b"{" else (b"", data)
    try:
        document = [orjson.loads(text)]
    except orjson.JSONDecodeError:
        return None
    rng = random.Random(seed)
    holder, key = rng.choice(_list_places(document))
    value = holder[key]
    change: Callable[[], Any] = rng.choice(
        (lambda: rng.choice(VALUES), lambda: [value], lambda: {"a": value}, lambda: _nest(value, rng),
         lambda: _rename(value, rng), lambda: [value, value], lambda: str(value), lambda: _cut(value, rng))
    )  # fmt: skip
    holder[key] = change()
    try:
        return prefix + orjson.dumps(document[0])
    except orjson.JSONEncodeError:
        return None


def _list_places(document: list[Any]) -> list[tuple[Any, Any]]:
    places, level = list[tuple[Any, Any]](), [document]
    while level:
        below = list[Any]()
        for holder in level:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            places += [(holder, key) for key in keys]
            below += [holder[key] for key in keys if isinstance(holder[key], list | dict)]
        level = below
    return places


def _nest(value: Any, rng: random.Random) -> Any:
    for _ in range(rng.randrange(1, MAX_NESTED)):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def _rename(value: Any, rng: random.Random) -> Any:
    if not isinstance(value, dict) or not value:
        return rng.choice(VALUES)
    name = rng.choice(list(value))
    return {(rng.choice(("", "_id", "id", name * 2)) if key == name else key): value[key] for key in value}


def _cut(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict) and value:
        gone = rng.choice(list(value))
        return {key: part for key, part in value.items() if key != gone}
    return value[: len(value) // 2] if isinstance(value, str | list) else rng.choice(VALUES)

"""The events of each viewer: those of the table in its order, whatever is held in memory."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest

from reelrank.index_mappings.event import EVENT_SCHEMA, Event
from reelrank.ranking.viewers import histories
from reelrank.ranking.viewers.histories import Histories

USERS = 7


def build_events(n: int = 60) -> list[Event]:
    rng = np.random.default_rng(0)
    kinds = ("watch", "impression")
    return [
        Event(f"e{k}", kinds[k % 2], f"viewer-{rng.integers(USERS)}", 1000 * k, f"i{k}")  # type: ignore[arg-type]
        for k in range(n)
    ]


def build_table(events: list[Event]) -> pa.Table:
    parts = [events[:25], events[25:]]
    batches = [pa.RecordBatch.from_pylist([asdict(e) for e in part], EVENT_SCHEMA) for part in parts]
    return pa.Table.from_batches(batches)


@pytest.mark.parametrize("held", [0, 10, 1000])
def test_every_viewer_has_their_events(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "MAX_EVENTS_HELD", held)
    events = build_events()
    of_users = Histories(build_table(events))
    assert len(of_users) == USERS
    for user in [*of_users, *sorted(of_users, reverse=True)]:
        assert of_users[user] == [event for event in events if event.user == user]
    assert "nobody" not in of_users
    assert dict(Histories(EVENT_SCHEMA.empty_table())) == {}


def test_who_watched_in_a_window_is_listed() -> None:
    events = build_events()
    watched = {e.user for e in events if e.kind == "watch" and 10_000 <= e.at_ms < 16_000}
    assert Histories(build_table(events)).list_watchers(10_000, 16_000) == sorted(watched)

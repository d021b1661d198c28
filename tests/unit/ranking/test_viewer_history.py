"""What a viewer's events say about the viewer."""

from hypothesis import given
from hypothesis import strategies as st

from reelrank.index_mappings.event import EVENT_KINDS, EXPOSURE_KINDS, Event, EventKind
from reelrank.ranking.viewers.history import MAX_ACTIONS, build_viewer


def test_exposures_do_not_count_as_actions() -> None:
    watch = Event("w", "watch", "ada", 1, "alien")
    exposures = [
        Event(f"{kind}{n}", kind, "ada", 2 + n, "heat") for kind in EXPOSURE_KINDS for n in range(MAX_ACTIONS)
    ]
    viewer = build_viewer("ada", [watch, *exposures], 10 * MAX_ACTIONS)
    assert viewer.watched.ids.tolist() == [b"alien"]


def test_only_impressions_count_as_shown() -> None:
    events = [Event(kind, kind, "ada", 1, kind) for kind in EVENT_KINDS]
    assert build_viewer("ada", events, 2).shown.tolist() == [b"impression"]


@given(st.lists(st.tuples(st.sampled_from(EVENT_KINDS), st.integers(0, 3), st.integers(0, 2)), max_size=20))
def test_a_viewer_does_not_depend_on_the_order_of_events(facts: list[tuple[EventKind, int, int]]) -> None:
    events = [Event(f"e{n}", kind, "ada", at, f"i{item}") for n, (kind, at, item) in enumerate(facts)]
    one, other = build_viewer("ada", events, 4), build_viewer("ada", events[::-1], 4)
    assert one.watched.ids.tolist() == other.watched.ids.tolist()
    assert one.opinions.ids.tolist() == other.opinions.ids.tolist()
    assert one.shown.tolist() == other.shown.tolist()
    assert sorted(one.seen.tolist()) == sorted(other.seen.tolist())
    newest_first = sorted((e for e in events if e.kind == "impression"), key=lambda e: (-e.at_ms, e.id))
    assert one.shown.tolist() == [e.item.encode() for e in newest_first]

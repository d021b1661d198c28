"""What a viewer's events say about the viewer."""

from reelrank.index_mappings.event import EVENT_KINDS, EXPOSURE_KINDS, Event
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

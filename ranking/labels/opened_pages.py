"""The pages that a viewer opened: when the one was opened from which an item was watched.

A past request has the time of its page. At the time of the watch its page has been shown already: each
watched item would have been shown just before, and a ranker would learn that and nothing else.
"""

from collections.abc import Sequence

from reelrank.index_mappings.event import Event
from reelrank.ranking.labels.attribution import PLAY_WINDOW_MS


class OpenedPages:
    """Looks up impressions of one viewer. events: in the order of time."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._by_request: dict[str, Event] = {}
        self._by_item: dict[str, list[Event]] = {}
        for event in events:
            if event.kind == "impression":
                self._by_item.setdefault(event.item, []).append(event)
                if event.request_id:
                    self._by_request.setdefault(event.request_id, event)

    def find(self, watch: Event) -> Event | None:
        """Returns an impression of the page that a watch came from, as attribution finds it.

        That is the page of its request, else the latest page that showed the item before the watch began,
        within the window of a play. None when no page is known.
        """
        page = self.find_of_request(watch)
        if page is not None and page.at_ms <= watch.at_ms:
            return page
        begun_ms = find_begin_ms(watch)
        shown = self._by_item.get(watch.item, ())
        before = [e for e in shown if begun_ms - PLAY_WINDOW_MS <= e.at_ms <= begun_ms]
        return before[-1] if before else None

    def find_of_request(self, event: Event) -> Event | None:
        """Returns the first impression of the page that an event names."""
        return self._by_request.get(event.request_id) if event.request_id else None


def find_begin_ms(watch: Event) -> int:
    """Returns when a watch began: as it states, else its time less what was watched."""
    if watch.started_ms is not None:
        return watch.started_ms
    return watch.at_ms - (watch.watched_ms or 0)

"""Everything that is recorded of a viewer, as one document."""

from typing import Any

from reelrank.app.privacy.viewer_eraser import ViewerPlaces
from reelrank.index_mappings.event_store import check_erasable
from reelrank.loaders.privacy.lake_erasure import find_in_lake


def export_viewer(places: ViewerPlaces, user: str) -> dict[str, Any]:
    """Returns the events of a viewer, their requests with all candidates, and the lists that are kept.

    Raises BadRequest for an empty id, and EngineError.
    """
    check_erasable(user)
    key = places.get_key(user)
    lists = places.lists.list_of_user(key)
    return {
        "user": user,
        "user_key": key,
        "events": [row for batch in places.events.scan_user(user) for row in batch.to_pylist()],
        "lake": find_in_lake(places.open_lake(), key),
        "kept_lists": [
            {
                "request_id": kept.request_id,
                "at_ms": kept.query.context.at_ms,
                "text": kept.query.text,
                "items": [item.decode() for item in kept.candidates.ids.tolist()],
            }
            for kept in lists
        ],
    }

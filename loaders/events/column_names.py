"""The column names of a history that fill the fields of an event without --map."""

from reelrank.index_mappings.event import DURATION, EVENT_FIELDS, TIMESTAMP
from reelrank.loaders.fields.field_map import Field

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("event_id", "eventid", "uuid"),
    "kind": ("action_name", "event_type", "event", "action", "type"),
    "user": ("user_id", "viewer", "viewer_id", "userid", "profile_id", "client_id",
             "visitor_id", "visitorid", "customer_id", "member_id"),
    "at_ms": ("timestamp", "timestamp_ms", "time", "at", "ts", "event_time", "occurred_at", "created_at",
              "date"),
    "item": ("item_id", "video_id", "movie_id", "film_id", "content_id", "asset_id", "object_id", "itemid",
             "videoid", "movieid"),
    "watched_ms": ("watched_s", "watched", "watch_time_ms", "watch_time_s", "watch_time", "watched_seconds",
                   "played_ms", "played_s"),
    "duration_ms": ("duration_s", "duration_min", "duration_seconds", "duration", "length_s", "length_ms",
                    "runtime_min"),
    "request_id": ("query_id", "search_id"),
    "position": ("rank",),
    "text": ("query", "search_text", "user_query", "q"),
    "device": ("device_type", "platform"),
    "country": ("country_code",),
    "session": ("session_id",),
}  # fmt: skip
"""Column names that fill a field besides its own name, the best first."""
REQUIRED_COLUMNS = ("kind", "user", "at_ms", "item")
EVENT_COLUMNS = tuple(
    Field(
        field.name,
        (field.name, *OTHER_NAMES.get(field.name, ())),
        required=field.name in REQUIRED_COLUMNS,
        length=field.type is DURATION,
        date=field.type is TIMESTAMP,
    )
    for field in EVENT_FIELDS
)
"""The fields of `Event` as the loader maps columns to them."""

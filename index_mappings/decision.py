"""Decisions: what a request was, and what was ranked for it, as rows of the lake; and its events.

A viewer is a `user_key`, never a user id. Column order is the order of these schemas; readers select by name.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from reelrank.index_mappings.event import EVENT_FIELDS, EVENT_SCHEMA

LAKE_VERSION = 1
"""The version of the three tables, in the metadata of each file (`schema_version`)."""
REQUESTS, CANDIDATES, EVENTS = "requests", "candidates", "events"
TABLES = (REQUESTS, CANDIDATES, EVENTS)
USER_KEY_BYTES = 15
"""120 bits: a billion viewers share a key with a probability below 1e-18."""
RANK_PREFIX, SIGNAL_PREFIX = "rank_", "signal_"
SESSION_PREFIX = "\0session\0"
NAMES = pa.list_(pa.string())


@dataclass(frozen=True, slots=True)
class LakeColumn:
    """One column: its type, and what it holds. personal: it names a viewer or holds what they typed."""

    name: str
    type: pa.DataType
    description: str
    nullable: bool = False
    personal: bool = False

    def to_field(self) -> pa.Field:
        return pa.field(self.name, self.type, self.nullable)


# fmt: off
REQUEST_COLUMNS = (
    LakeColumn("request_id", pa.string(), "Id of the request; one row each."),
    LakeColumn("at_ms", pa.int64(), "When it was made, ms since 1970 UTC. It chooses the partition."),
    LakeColumn("user_key", pa.string(), "Keyed hash of the viewer; empty when unknown.", personal=True),
    LakeColumn("session", pa.string(), "Keyed hash of the session; empty when unknown.", personal=True),
    LakeColumn("surface", pa.string(), "`home`, `search`, `similar` or `rank`."),
    LakeColumn("text", pa.string(), "What was typed; empty for other surfaces.", personal=True),
    LakeColumn("similar_to", pa.string(), "The item whose similar items were asked for; else empty."),
    LakeColumn("filters", pa.string(), "JSON object of the filters that were set; empty for none."),
    LakeColumn("sort", pa.string(), "Order of the list: `relevance`, `newest`, `popular` or `title`."),
    LakeColumn("exclude", NAMES, "Items that the caller left out."),
    LakeColumn("device", pa.string(), "Device of the viewer; empty when unknown."),
    LakeColumn("country", pa.string(), "Country of the viewer; empty when unknown."),
    LakeColumn("limit", pa.int32(), "Items that were asked for."),
    LakeColumn("release", pa.string(), "Release that served; empty when the request named a model."),
    LakeColumn("version", pa.string(), "Index version that answered."),
    LakeColumn("config_id", pa.string(), "Id of the ranking config."),
    LakeColumn("model", pa.string(), "Model that gave the scores."),
    LakeColumn("experiment", pa.string(), "Experiment of the request; empty for none."),
    LakeColumn("variant", pa.string(), "Arm of that experiment; empty for none."),
    LakeColumn("sources_asked", NAMES, "Candidate sources that were asked."),
    LakeColumn("sources_late", NAMES, "Those of them that answered late, in part or not at all."),
    LakeColumn("exploration_pool", NAMES, "Items that exploration could choose from, best first."),
    LakeColumn("exploration_seed", pa.int64(), "Seed of its draw, as signed 64 bits.", nullable=True),
    LakeColumn("feature_fingerprint", pa.string(), "Fingerprint of the features of this build."),
    LakeColumn("degraded", NAMES, "What the answer lacked, as text."),
    LakeColumn("candidates", pa.int32(), "Number of candidates that were ranked."),
    LakeColumn("took_ms", pa.float32(), "Milliseconds until the page was ready.", nullable=True),
)
CANDIDATE_COLUMNS = (
    LakeColumn("request_id", pa.string(), "The request; its row is in `requests`."),
    LakeColumn("item", pa.string(), "Id of the item; once a request."),
    LakeColumn("position", pa.int32(), "Position in the final order, from 0."),
    LakeColumn("shown", pa.bool_(), "Whether the item was on a page that was sent."),
    LakeColumn("score", pa.float32(), "Score of the model.", nullable=True),
    LakeColumn("probability", pa.float32(), "Calibrated probability of a watch; null without calibration.",
               nullable=True),
    LakeColumn("propensity", pa.float32(), "Of an exploration slot: probability of this item there.",
               nullable=True),
    LakeColumn("ranked_position", pa.int32(), "Of an exploration slot: position that the ranking gave it.",
               nullable=True),
    LakeColumn("team", pa.string(), "Of an interleaved page: the arm whose ranking put the item there.",
               nullable=True),
    LakeColumn("is_whole_group", pa.bool_(), "Whether all candidates of the request are in the table."),
)
# fmt: on
REQUEST_SCHEMA = pa.schema([column.to_field() for column in REQUEST_COLUMNS])
CANDIDATE_SCHEMA = pa.schema([column.to_field() for column in CANDIDATE_COLUMNS])
"""The fixed columns of `candidates`; `build_candidate_schema` adds those of sources and signals."""
LAKE_EVENT_SCHEMA = pa.schema(
    [field.with_name("user_key") if field.name == "user" else field for field in EVENT_SCHEMA]
)
"""The columns of `events`: those of `Event`, with `user_key` in place of `user`."""
EVENT_COLUMNS = tuple(
    LakeColumn(
        lake_field.name,
        lake_field.type,
        field.description if lake_field.name == field.name else "Keyed hash of the viewer.",
        lake_field.nullable,
        field.personal,
    )
    for field, lake_field in zip(EVENT_FIELDS, LAKE_EVENT_SCHEMA, strict=True)
)
COLUMNS_BY_TABLE: Mapping[str, tuple[LakeColumn, ...]] = {
    REQUESTS: REQUEST_COLUMNS,
    CANDIDATES: CANDIDATE_COLUMNS,
    EVENTS: EVENT_COLUMNS,
}
SORT_BY_TABLE: Mapping[str, tuple[str, ...]] = {
    REQUESTS: ("request_id",),
    CANDIDATES: ("request_id", "position"),
    EVENTS: ("at_ms", "id"),
}
"""The order of the rows in a file."""
KEY_BY_TABLE: Mapping[str, tuple[str, ...]] = {
    REQUESTS: ("request_id",),
    CANDIDATES: ("request_id", "item"),
    EVENTS: ("id",),
}
"""The columns that name a row: readers see each once."""


def build_candidate_schema(sources: Sequence[str], signals: Sequence[str]) -> pa.Schema:
    """Returns the columns of candidates with `rank_<source>` (int32, from 0; null where the source did not
    find the item) and `signal_<name>` (float32, null where unknown, NaN in memory)."""
    ranks = {f"{RANK_PREFIX}{source}": pa.int32() for source in sources}
    columns = {name_signal_column(signal): pa.float32() for signal in signals}
    added = [pa.field(name, arrow_type) for name, arrow_type in (columns | ranks).items()]
    return pa.schema([*CANDIDATE_SCHEMA, *sorted(added, key=lambda field: str(field.name))])


def name_signal_column(signal: str) -> str:
    """Returns the column that holds a signal. The rank in a source is stored once, as `rank_<source>`."""
    return signal if signal.startswith(RANK_PREFIX) else f"{SIGNAL_PREFIX}{signal}"


def identify_session(identify: Callable[[str], str], session: str) -> str:
    """Returns the key of a session; empty for none. identify: a user id to its key.

    No user id begins as the hashed text does, so a session never has the key of a viewer.
    """
    return identify(f"{SESSION_PREFIX}{session}") if session else ""


def hash_user(user_id: str, secret: bytes) -> str:
    """Returns the key of a viewer: 24 characters of base32, HMAC-SHA256 of the id; empty for no id.

    Someone without the secret can neither find the id of a key nor test whether a viewer is in the lake.
    """
    if not user_id:
        return ""
    digest = hmac.digest(secret, user_id.encode(errors="surrogatepass"), hashlib.sha256)
    return base64.b32encode(digest[:USER_KEY_BYTES]).decode().lower()

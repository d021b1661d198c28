"""The rows of the lake for a page that was sent: that of the request, and those of its candidates."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from reelrank.app.feedback.candidate_rows import CandidateRows, LoggedPage, collect_candidates
from reelrank.app.search.result_list import ResultList
from reelrank.index_mappings.decision import REQUEST_SCHEMA, identify_session
from reelrank.index_mappings.query import Filters
from reelrank.ranking.policies.thompson import POOL_SIZE


@dataclass(frozen=True, slots=True)
class DecisionRows:
    """request: the row of a request; None for a later part of a list. candidates: the rows of n of them."""

    request: dict[str, Any] | None
    candidates: CandidateRows

    def __len__(self) -> int:
        return (self.request is not None) + len(self.candidates.positions)


@dataclass(frozen=True, slots=True)
class RowBuilder:
    """Builds the rows of pages. get_key: a user id to its key. get_fingerprint: of the features."""

    get_key: Callable[[str], str]
    get_fingerprint: Callable[[], str]

    def build(self, logged: LoggedPage) -> DecisionRows:
        """Returns the rows of one part of a list; a list without candidates has a request row alone."""
        request = None if logged.result_list.is_cached else self._build_request(logged)
        return DecisionRows(request, collect_candidates(logged))

    def _build_request(self, logged: LoggedPage) -> dict[str, Any]:
        ranked, page, query = logged.result_list, logged.page, logged.result_list.query
        stages = [seconds for stage, seconds in page.timings.items() if not stage.startswith("source ")]
        slots = ranked.exploration_slots
        row = {
            "request_id": ranked.request_id, "at_ms": query.context.at_ms,
            "user_key": self.get_key(query.user or ""),
            "session": identify_session(self.get_key, query.session),
            "surface": query.kind,
            "text": query.text or "", "similar_to": query.similar_to or "",
            "filters": format_filters(query.filters), "sort": query.sort, "exclude": query.exclude,
            "device": query.context.device, "country": query.context.country, "limit": query.limit,
            "release": ranked.release, "version": ranked.version, "config_id": ranked.config_id,
            "model": ranked.model, "experiment": ranked.experiment, "variant": ranked.variant,
            "sources_asked": ranked.asked,
            "sources_late": [d.source for d in ranked.degraded if d.source in ranked.asked],
            "exploration_pool": list_pool(ranked),
            "exploration_seed": np.uint64(ranked.seed).astype(np.int64).item() if slots else None,
            "feature_fingerprint": self.get_fingerprint(), "degraded": [str(d) for d in page.degraded],
            "candidates": len(ranked.candidates), "took_ms": 1000 * sum(stages) if stages else None,
        }  # fmt: skip
        return {name: replace_surrogates(value) for name, value in row.items()}


def build_request_table(rows: Sequence[DecisionRows]) -> pa.Table:
    return pa.Table.from_pylist([part.request for part in rows if part.request is not None], REQUEST_SCHEMA)


def list_pool(ranked: ResultList) -> list[str]:
    """Returns the items that exploration slots could show, in the order of the ranking; empty without slots.

    Exploration moved items only within this part of the list, so undoing it gives the order before.
    """
    slots = ranked.exploration_slots
    if not slots:
        return []
    positions = list(range(len(ranked.candidates)))
    moved = {slot.position: slot.ranked_position for slot in slots}
    before = [position for position in positions if position not in moved]
    for position, ranked_position in sorted(moved.items(), key=lambda move: move[1]):
        before.insert(ranked_position, position)
    pool = before[min(moved) : max(moved) + POOL_SIZE]
    return [item.decode() for item in ranked.candidates.ids[pool].tolist()]


def format_filters(filters: Filters) -> str:
    """Returns the filters that are set as a JSON object; empty for none."""
    stated = {name: value for name, value in asdict(filters).items() if value not in ((), None)}
    clean = {name: replace_surrogates(value) for name, value in stated.items()}
    return orjson.dumps(clean).decode() if clean else ""


def replace_surrogates(value: Any) -> Any:
    """Returns a text, or a list of texts, with ? for lone surrogates: JSON can hold them, UTF-8 cannot.

    Anything else is returned as it is.
    """
    if isinstance(value, list | tuple):
        return [replace_surrogates(text) for text in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value

"""Request summaries, which dashboards count: one line for each part of a list that was shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reelrank.app.search.page import Page
from reelrank.app.search.result_list import ResultList


@dataclass(frozen=True, slots=True)
class Summary:
    """One line for dashboards about a request.

    degraded: the sources that were missing. sources: those that found a shown item. took_ms: None for a later
    part of a list, which is not ranked again.
    """

    id: str
    at_ms: int
    request_id: str
    kind: str
    model: str
    version: str
    degraded: tuple[str, ...]
    sources: tuple[str, ...]
    candidates: int
    hits: int
    took_ms: float | None


class Summaries(Protocol):
    def append(self, summaries: Sequence[Summary]) -> None:
        """Raises EngineError."""


def build_summary(result_list: ResultList, page: Page) -> Summary:
    whole = [seconds for stage, seconds in page.timings.items() if not stage.startswith("source ")]
    first = page.hits[0].position if page.hits else 0
    return Summary(
        id=f"{page.request_id}-{first}",
        at_ms=result_list.query.context.at_ms,
        request_id=page.request_id,
        kind=result_list.query.kind,
        model=page.model,
        version=page.version,
        degraded=page.missing_parts,
        sources=tuple(sorted({source for hit in page.hits for source in hit.sources})),
        candidates=page.candidates,
        hits=len(page.hits),
        took_ms=round(1000 * sum(whole), 2) if whole else None,
    )

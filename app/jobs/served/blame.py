"""Ranks logged requests again, and says why their pages did not show what was watched afterwards."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from reelrank.app.jobs.served.evaluation import select_answered
from reelrank.app.jobs.served.pages import read_served_pages
from reelrank.app.jobs.served.replay import RankedAgain, ServingIndex, open_serving_index
from reelrank.app.wiring import Container, load_model, read_serving_model
from reelrank.index_mappings.errors import NotFound
from reelrank.index_mappings.match import encode_item_ids
from reelrank.ranking.arrow_columns import find_indices, to_array, to_texts
from reelrank.ranking.evaluation.served.blame import (
    Blame,
    Cause,
    RankedPage,
    find_lost,
    find_nearest_source,
    name_held_down,
)
from reelrank.ranking.evaluation.served.orders import select_wanted
from reelrank.ranking.evaluation.served.wanted import (
    CUTOFF,
    ServedPages,
    ServedRules,
    WantedItems,
    find_wanted,
)
from reelrank.ranking.features.compute import compute_features
from reelrank.ranking.pipeline import Ranking
from reelrank.ranking.policies.config import CandidateLimits
from reelrank.ranking.progress import Progress
from reelrank.ranking.rankers.blending import blend_rankers
from reelrank.ranking.rankers.lambdarank import FusedOrder, Ranker
from reelrank.ranking.training.backtest import rank_past_request

WIDER = 5
"""How many times its limit each source is asked for, to tell what a limit cut from what no source finds."""


@dataclass(frozen=True, slots=True)
class BlameOptions:
    """days: of pages. requests: at most so many answered ones. request_id: only this one; empty for all."""

    days: float = 1.0
    requests: int = 200
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class BlameReport:
    """blamed: one for each item that was wanted after one of the requests. left_out: requests, by reason."""

    requests: int
    blamed: list[Blame]
    left_out: Mapping[str, int]


def blame_pages(container: Container, options: BlameOptions, progress: Progress) -> BlameReport:
    """Says for each item that was watched after a page, and was new to its viewer, where it was lost.

    Requests are ranked by what serves now, as of their own time. Raises NotFound without such requests.
    """
    pages = read_served_pages(container, options.days, progress)
    wanted = find_wanted(pages, ServedRules())
    ids = to_texts(pages.requests["request_id"])
    answered = frozenset(ids[np.unique(wanted.request)].tolist())
    if options.request_id:
        answered &= {options.request_id}
    selected = select_answered(container, pages, answered, options.requests)
    if not len(selected.rows):
        raise NotFound(_explain_nothing(options, selected.left_out), code="no_logged_pages")
    serving = _open_with_model(container)
    ranked = serving.replay(selected, 0, serving.read_viewers(selected), progress)
    blamed = [one for again in ranked for one in _blame_request(serving, pages, wanted, again)]
    return BlameReport(len(selected.rows), blamed, dict(selected.left_out))


def _open_with_model(container: Container) -> ServingIndex:
    serving, model = open_serving_index(container), read_serving_model(container)
    if model is None:
        return serving
    ranker = blend_rankers(load_model(container.registry.find_directory(model)), serving.config.blend)
    return replace(serving, index=replace(serving.index, ranker=ranker))


def _blame_request(
    serving: ServingIndex, pages: ServedPages, wanted: WantedItems, again: RankedAgain
) -> Iterator[Blame]:
    request_id = again.row["request_id"]
    (row,) = find_indices(pa.array([request_id]), pages.requests["request_id"]).tolist()
    shown = _read_shown(pages, request_id)
    candidates, order = again.ranking.found.candidates, again.ranking.order
    page = RankedPage(request_id, again.row["surface"], shown, candidates, order, again.request.query.filters)
    items, _ = select_wanted(wanted, row)
    found = [find_lost(page, item, serving.index.table) for item in items.tolist()]
    if any(one.cause is Cause.NOT_RETRIEVED for one in found):
        found = _name_sources(serving, again, found)
    yield from (_name_features(serving.index.ranker, again, one) for one in found)


def _read_shown(pages: ServedPages, request_id: str) -> dict[bytes, int]:
    """Returns the position from 0 of each item that the page showed."""
    mask = pc.equal(pages.outcomes["request_id"], request_id)
    outcomes = pages.outcomes.select(["item", "position"]).filter(mask)
    ids = encode_item_ids(outcomes["item"].to_pylist())
    return dict(zip(ids.tolist(), to_array(outcomes["position"], np.int64).tolist(), strict=True))


def _name_sources(serving: ServingIndex, again: RankedAgain, found: list[Blame]) -> list[Blame]:
    """Asks every source for more, and tells what a limit cut from what no source finds."""
    limits = serving.config.limits
    wider = CandidateLimits(**{one.name: WIDER * limits.limit_of(one.name) for one in fields(limits)})
    config = replace(serving.config, limits=wider)
    ranking = rank_past_request(again.request, serving.index, again.popularity, config)
    return [_name_source(ranking, one) if one.cause is Cause.NOT_RETRIEVED else one for one in found]


def _name_source(wider: Ranking, one: Blame) -> Blame:
    nearest = find_nearest_source(wider.found.candidates, wider.asked, one.item.encode())
    if nearest is None:
        return one
    return replace(one, cause=Cause.CUT, source=nearest[0], rank=nearest[1])


def _name_features(ranker: Ranker, again: RankedAgain, one: Blame) -> Blame:
    """Names what held a ranked item down, against the last one near the top."""
    if one.cause is not Cause.RANKED_LOW or ranker.name == FusedOrder.name:
        return one
    ranking = again.ranking
    compared = ranking.order[[one.rank - 1, min(CUTOFF, len(ranking.order)) - 1]]
    features = compute_features(ranking.signals.take(compared), ranker.feature_names)
    return replace(one, features=name_held_down(ranker.compute_contributions(features), ranker.feature_names))


def _explain_nothing(options: BlameOptions, left_out: Mapping[str, int]) -> str:
    which = f"request {options.request_id}" if options.request_id else "no request"
    state = "is not among those" if options.request_id else "is"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
    found = f"; left out: {reasons}" if reasons else ""
    return (
        f"{which} of the last {options.days:g} days {state} that the serving index version answered and a "
        f"watch followed{found}; serve first, or look at more days: reelrank blame --days 7"
    )

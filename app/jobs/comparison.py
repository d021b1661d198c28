"""Evaluation of a ranker beside the baselines of the literature, on the newest requests of a history."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson

from reelrank.app.jobs.history import History
from reelrank.app.jobs.served.explored import EXPLORED, rank_as_explored
from reelrank.index_mappings.event import MAX_TIME_MS
from reelrank.index_mappings.match import ItemIds
from reelrank.ranking.durable import write_file
from reelrank.ranking.embeddings.watches import select_watches
from reelrank.ranking.evaluation.baselines import (
    EASE,
    POPULARITY,
    PastPages,
    choose_baseline_half_life,
    rank_by_ease,
    rank_by_popularity,
    sample_pages,
)
from reelrank.ranking.evaluation.comparison import Evaluation, Rankings, evaluate
from reelrank.ranking.evaluation.judged_request import HOME, JudgedRequest
from reelrank.ranking.evaluation.plots import write_gains_plot, write_quality_plot
from reelrank.ranking.progress import Progress, ignore_progress
from reelrank.ranking.rankers.blending import blend_rankers
from reelrank.ranking.rankers.lambdarank import Ranker, get_probability_function


def compare_rankings(
    history: History, judged: Sequence[JudgedRequest], ranker: Ranker, progress: Progress = ignore_progress
) -> Evaluation:
    """Evaluates requests of the third window as `ranker` ordered them, home pages also beside baselines.

    Where the log has enough exploration slots, a model that learned from these alone stands beside it, too.
    """
    baselines = rank_home_pages(history, judged)
    explored = rank_as_explored(history, judged, progress)
    if explored.rankings is not None:
        baselines[EXPLORED] = explored.rankings
    blended = blend_rankers(ranker, history.container.config.blend)
    evaluation = evaluate(judged, ranker.name, get_probability_function(blended), baselines)
    return replace(evaluation, notes=(explored.note,))


def rank_home_pages(history: History, judged: Sequence[JudgedRequest]) -> dict[str, Rankings]:
    """Ranks the home pages by EASE and by recent popularity; None for other requests.

    EASE is fitted on what precedes the third window. The half-life of popularity is chosen on the second.
    """
    rows = [row for row, request in enumerate(judged) if request.kind == HOME]
    if not rows:
        return {}
    requests = [judged[row].request for row in rows]
    at_ms = np.array([request.query.context.at_ms for request in requests], np.int64)
    pages = PastPages(at_ms, [request.viewer.seen for request in requests])
    known = select_watches(history.events, history.evaluation_ms)
    half_life = choose_baseline_half_life(
        known, *sample_pages(known, (history.training_ms, history.evaluation_ms))
    )
    watches = select_watches(history.events, MAX_TIME_MS)
    ranked = {
        EASE: rank_by_ease(known, pages),
        f"{POPULARITY}, {half_life:g} days": rank_by_popularity(watches, pages, half_life),
    }
    return {name: _spread(lists, rows, len(judged)) for name, lists in ranked.items()}


def _spread(lists: Sequence[ItemIds], rows: Sequence[int], count: int) -> Rankings:
    spread: list[ItemIds | None] = [None] * count
    for row, ids in zip(rows, lists, strict=True):
        spread[row] = ids
    return spread


def write_report(directory: Path, evaluation: Evaluation, gains: dict[str, float]) -> None:
    """Writes evaluation.json, and quality (also narrow, for phones) and gains as SVG and PNG."""
    write_file(directory / "evaluation.json", orjson.dumps(evaluation.to_dict(), option=orjson.OPT_INDENT_2))
    write_quality_plot(evaluation, directory / "quality")
    write_quality_plot(evaluation, directory / "quality-narrow", is_narrow=True)
    write_gains_plot(gains, directory / "gains")

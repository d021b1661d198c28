"""Commands that request a result list: a search, a home page, similar items."""

import time
from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, fail, out, print_json
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid
from reelrank.app.clock import SYSTEM_CLOCK
from reelrank.app.search.page import Page, RankingOptions, SearchOutcome
from reelrank.app.settings import Settings
from reelrank.app.web.answers import serialize_outcome
from reelrank.app.wiring import build_container, warm_service
from reelrank.index_mappings.query import Context, Filters, Query

app = typer.Typer()
DEADLINE_MS = 10_000
"""A command starts with cold caches and makes one request, so it waits for every source, where a page would
skip the slow ones. It shows the ranking's own order, without exploration slots."""
Genres = Annotated[
    list[str] | None, typer.Option("--genre", help="Show only this genre; repeat it for more.")
]
User = Annotated[str | None, typer.Option(help="The viewer to rank for.")]
Limit = Annotated[int, typer.Option(min=1, max=100, help="Number of hits.")]


@app.command(epilog='Example: `reelrank search "space war" --user viewer-1 --genre Sci-Fi`')
def search(  # noqa: PLR0913  # a command's options are its arguments
    text: str,
    *,
    user: User = None,
    genre: Genres = None,
    limit: Limit = 10,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Search the catalogue and rank the hits for a viewer."""
    filters, text = Filters(genres=tuple(genre or ())), text.strip()
    if not text and filters.is_empty:
        fail("state what to search for, such as `reelrank search 'star wars'`, or a --genre", "invalid_usage")
    query = Query(text=text, user=user, filters=filters, limit=limit, context=_build_context())
    _run_query(query, wide, as_json)


@app.command(epilog="Example: `reelrank recommend viewer-1 --limit 5`")
def recommend(user: str, limit: Limit = 10, wide: Wide = False, as_json: AsJson = False) -> None:
    """Recommend items, as on a viewer's home page."""
    _run_query(Query(user=user, limit=limit, context=_build_context()), wide, as_json)


@app.command(epilog="Example: `reelrank similar tt0133093`")
def similar(item: str, limit: Limit = 10, wide: Wide = False, as_json: AsJson = False) -> None:
    """Show items similar to one item."""
    _run_query(Query(similar_to=item, limit=limit, context=_build_context()), wide, as_json)


def _build_context() -> Context:
    return Context(at=SYSTEM_CLOCK.now())


def _run_query(query: Query, wide: bool, as_json: bool) -> None:
    patient = Settings().model_copy(update={"deadline_ms": DEADLINE_MS, "explore_slots": 0})
    service = warm_service(build_container(patient))
    if query.similar_to and service.engine.fetch([query.similar_to], DEADLINE_MS / 1000) == [None]:
        fail(f"there is no item {query.similar_to}", "item_not_found")
    started = time.perf_counter()
    page = service.serve_page(RankingOptions(query))
    took_ms = (time.perf_counter() - started) * 1000
    if as_json:
        hits = [
            {"id": h.item.id, "title": h.item.title, "score": h.score, "ranks": h.sources}
            | ({"match": h.match} if h.match else {})
            for h in page.hits
        ]
        answer = {"model": page.model, "degraded": [str(missing) for missing in page.degraded], "hits": hits}
        print_json(answer | (serialize_outcome(page.search) if page.search else {}))
    else:
        _print_page(page, took_ms, wide)


def _print_page(page: Page, took_ms: float, wide: bool) -> None:
    if page.search is not None:
        _print_outcome(page.search)
    header = ("", "id", "film", "year", "genres", "score", "found by")
    rows = [
        (
            str(hit.position + 1),
            hit.item.id,
            hit.item.title,
            str(hit.item.year or ""),
            ", ".join(hit.item.genres),
            f"{hit.score:.3f}",
            ", ".join(hit.sources),
        )
        for hit in page.hits
    ]
    if rows:
        print_grid(Grid(header, rows, cut=("film", "genres", "found by")), wide)
    missing = "; no trained model is in use" if page.has_no_model else ""
    missing += f"; incomplete: {', '.join(map(str, page.failures))}" if page.failures else ""
    found = f"{_format_total(page.search)} found; " if page.search and page.search.total else ""
    line = f"{found}{page.candidates} candidates ranked by {page.model} in {took_ms:.0f} ms{missing}"
    out.print(line, markup=False)


def _print_outcome(outcome: SearchOutcome) -> None:
    if outcome.message:
        out.print(outcome.message, markup=False)
    if outcome.did_you_mean:
        out.print(f"Did you mean {outcome.did_you_mean!r}?", markup=False)
    elif outcome.suggestions:
        out.print(f"Popular now: {', '.join(outcome.suggestions)}", markup=False)


def _format_total(outcome: SearchOutcome) -> str:
    bound = {False: "", True: "at least "}
    if outcome.all_words is None or not outcome.some_words:
        return f"{bound[outcome.is_lower_bound]}{outcome.total}"
    full = f"{bound[outcome.all_words_is_lower_bound]}{outcome.all_words}"
    return f"{full} with all words, {bound[outcome.is_lower_bound]}{outcome.some_words} more with some,"

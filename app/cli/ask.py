"""Commands that ask as a viewer would: a search, a home page, similar items."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Column, Table

from reelrank.app.cli.console import fail, out, print_json
from reelrank.app.search.page import Page
from reelrank.app.search.service import RankingOptions
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container, warm_service
from reelrank.index_mappings.query import Context, Filters, Query

app = typer.Typer()
DEADLINE_MS = 10_000
"""A command starts cold and is asked once: it waits for every source, where a page would go on without, and
shows the ranking's own order, with nothing drawn in it."""
Genres = Annotated[list[str] | None, typer.Option("--genre", help="Only these genres; may be repeated.")]
User = Annotated[str | None, typer.Option(help="Whose search it is.")]
Limit = Annotated[int, typer.Option(min=1, max=100, help="How many hits.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command(epilog='Example: `reelrank search "space war" --user viewer-1 --genre Sci-Fi`')
def search(
    text: str, user: User = None, genre: Genres = None, limit: Limit = 10, as_json: AsJson = False
) -> None:
    """Search the catalogue, ranked for a viewer."""
    filters = Filters(genres=tuple(genre or ()))
    _run_query(Query(text=text, user=user, filters=filters, limit=limit, context=_build_context()), as_json)


@app.command(epilog="Example: `reelrank recommend viewer-1 --limit 5`")
def recommend(user: str, limit: Limit = 10, as_json: AsJson = False) -> None:
    """What a viewer's home page shows."""
    _run_query(Query(user=user, limit=limit, context=_build_context()), as_json)


@app.command(epilog="Example: `reelrank similar tt0133093`")
def similar(item: str, limit: Limit = 10, as_json: AsJson = False) -> None:
    """Items like one item."""
    _run_query(Query(similar_to=item, limit=limit, context=_build_context()), as_json)


def _build_context() -> Context:
    return Context(at=datetime.now(UTC))


def _run_query(query: Query, as_json: bool) -> None:
    patient = Settings().model_copy(update={"deadline_ms": DEADLINE_MS, "explore_slots": 0})
    service = warm_service(build_container(patient))
    if query.similar_to and service.engine.fetch([query.similar_to], DEADLINE_MS / 1000) == [None]:
        fail(f"there is no item {query.similar_to}")
    started = time.perf_counter()
    page = service.serve_page(RankingOptions(query))
    took_ms = (time.perf_counter() - started) * 1000
    if as_json:
        hits = [
            {"id": h.item.id, "title": h.item.title, "score": h.score, "ranks": h.sources} for h in page.hits
        ]
        print_json({"model": page.model, "degraded": page.degraded, "hits": hits})
    else:
        _print_page(page, took_ms)


def _print_page(page: Page, took_ms: float) -> None:
    table = Table("", Column("id", no_wrap=True), "film", "year", "genres", "score", "found by", box=None)
    for hit in page.hits:
        facts = (hit.item.id, hit.item.title, str(hit.item.year or ""), ", ".join(hit.item.genres))
        table.add_row(str(hit.position + 1), *facts, f"{hit.score:.3f}", ", ".join(hit.sources))
    out.print(table)
    degraded = ", ".join(page.degraded) or "nothing"
    line = f"{page.candidates} candidates ranked by {page.model} in {took_ms:.0f} ms; degraded: {degraded}"
    out.print(line, markup=False)

"""Commands about single logged requests."""

from dataclasses import asdict
from typing import Annotated

import typer

from reelrank.app.cli.console import AsJson, print_json, print_plain
from reelrank.app.cli.tables.layout import Grid, Wide, print_grid
from reelrank.app.jobs.served.logged_requests import to_time
from reelrank.app.jobs.served.request import LoggedRequest, RequestItem, read_request
from reelrank.app.settings import Settings
from reelrank.app.wiring import build_container

app = typer.Typer(no_args_is_help=True, help="Look at what one page showed, and what others would have.")
FACTS = (
    "surface", "text", "similar_to", "filters", "sort", "user_key", "device", "country", "release", "version",
    "model", "config_id", "experiment", "variant", "sources_late", "degraded", "candidates", "took_ms",
)  # fmt: skip


@app.command(epilog="Example: `reelrank requests show 5f0c2a9e1b7d4c33`")
def show(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a request, as answers have it.")],
    release: Annotated[str, typer.Option(help="Also show the page that this release would give.")] = "",
    days: Annotated[float, typer.Option(min=0.001, max=3650, help="Look at the last so many days.")] = 30.0,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Show a logged request: its items, its scores computed again, and another release's order beside it."""
    found = read_request(build_container(Settings()), request_id, days, release)
    if as_json:
        print_json(asdict(found))
        return
    print_facts(found)
    print_items(found, wide)


def print_facts(found: LoggedRequest) -> None:
    """Prints what the request was, and whether its scores are the same when computed again."""
    print_plain(f"{found.row['request_id']} at {to_time(found.row['at_ms']):%Y-%m-%d %H:%M:%S} UTC")
    for name in FACTS:
        if found.row[name]:
            print_plain(f"  {name:<13} {found.row[name]}")
    kept = "all candidates were kept" if found.is_whole else "only what was shown was kept"
    if found.note:
        print_plain(f"{kept}; scores are not computed again: {found.note}")
    else:
        print_plain(
            f"{kept}; {found.equal:,} of {found.compared:,} scores computed again are the same, bit by bit"
        )
    if found.other is not None:
        print_plain(f"{found.other.release}: {found.other.note}")


def print_items(found: LoggedRequest, wide: bool) -> None:
    """Prints what was shown, and beside it where another release puts it and what it would show instead."""
    shown = [item for item in found.items if item.shown]
    titles = {item.item: item.title for item in found.items}
    header = ["#", "item", "title", "score", "again", "probability"]
    rows = [_describe(item) for item in shown]
    if found.other is not None:
        header += ["there", "it shows"]
        for place, row in enumerate(rows):
            item = found.other.items[place] if place < len(found.other.items) else ""
            row += [_number(shown[place].other), titles.get(item) or item]
    print_grid(Grid(tuple(header), rows, cut=("title",), title="Shown"), wide)


def _describe(item: RequestItem) -> list[str]:
    scores = ["" if value is None else f"{value:.6f}" for value in (item.score, item.again, item.probability)]
    title = f"{item.title} (explored)" if item.is_explored else item.title
    return [_number(item.position), item.item, title, *scores]


def _number(position: int) -> str:
    return f"{position + 1}" if position >= 0 else ""

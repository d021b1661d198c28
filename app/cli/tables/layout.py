"""The layout of tables: rows of one line on the width of the screen, or everything with --wide."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from reelrank.app.cli.console import out
from reelrank.ranking.evaluation.intervals import Interval

Wide = Annotated[bool, typer.Option("--wide", help="Print cells whole, however wide the table gets.")]
WIDE_COLUMNS = 1000
"""More than any table has: a wide table is as wide as its contents."""
MIN_CUT_WIDTH = 8
PADDING = 2
INTERVAL = re.compile(r"(-?\d+\.\d+) \[(-?\d+\.\d+), (-?\d+\.\d+)\]")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with one line a row. cut: columns whose cells may be shortened to fit the screen."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    cut: Collection[str] = ()
    title: str | None = None


def print_grid(grid: Grid, wide: bool = False, console: Console = out) -> None:
    """Prints a table. wide: with whole cells, however wide that is."""
    widths = [max(cell_len(row[n]) for row in [grid.header, *grid.rows]) for n in range(len(grid.header))]
    if not wide:
        widths = _shrink(widths, [name in grid.cut for name in grid.header], console.width)
    columns = (Column(name, no_wrap=True) for name in grid.header)
    table = Table(*columns, title=grid.title, box=None, pad_edge=False, title_justify="left")
    for row in grid.rows:
        table.add_row(*(Text(_cut(cell, width)) for cell, width in zip(row, widths, strict=True)))
    if wide:
        console = Console(file=console.file, width=WIDE_COLUMNS, highlight=False)
    console.print(table)


def shorten_interval(cell: str) -> str:
    """Returns "0.3155 [0.2917, 0.3401]" as "0.316±0.025", with the larger half of the interval."""
    found = INTERVAL.fullmatch(cell)
    if found is None:
        return cell
    mean, low, high = (float(part) for part in found.groups())
    return f"{mean:.3f}±{max(mean - low, high - mean):.3f}"


def format_interval(interval: Interval | None, wide: bool) -> str:
    """Returns the cell of an interval: whole where the table is wide, else shortened; `-` for none."""
    if interval is None:
        return "-"
    return str(interval) if wide else shorten_interval(str(interval))


def _shrink(widths: list[int], may_cut: list[bool], columns: int) -> list[int]:
    """Takes from the widest column that may be cut until the table fits."""
    widths = list(widths)
    while sum(widths) + PADDING * (len(widths) - 1) > columns:
        widest = max((width, n) for n, width in enumerate(widths) if may_cut[n]) if any(may_cut) else (0, 0)
        if widest[0] <= MIN_CUT_WIDTH:
            break
        widths[widest[1]] -= 1
    return widths


def _cut(cell: str, width: int) -> str:
    plain = " ".join(cell.split())
    return plain if cell_len(plain) <= width else f"{set_cell_size(plain, width - 1).rstrip()}…"

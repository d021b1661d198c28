"""Plots how much the plan depends on each assumption."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from reelrank.app.capacity.assumptions import Assumptions
from reelrank.app.capacity.plan import (
    Sensitivity,
    count_serving_nodes,
    count_stored_bytes,
    find_sensitivity,
)
from reelrank.ranking.durable import write_file

if TYPE_CHECKING:  # importing matplotlib takes half a second, and only --plot needs it
    from matplotlib.axes import Axes

LESS_COLOUR, MORE_COLOUR = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe & Ito 2008 are distinct for colour-blind readers."""
BARS = 12


def write_sensitivity_plot(given: Assumptions, path: Path) -> None:
    """Writes an SVG: machines that serve and bytes stored, when each assumption halves or doubles."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    most = given.candidates_high
    _draw(left, find_sensitivity(given, "serving"), count_serving_nodes(given, most), 1.0)
    left.set_title(f"machines that serve, {most:,.0f} candidates", loc="left", fontsize=11)
    _draw(right, find_sensitivity(given, "stored"), count_stored_bytes(given, most), 1e15)
    right.set_title("PB that the lake stores, all copies", loc="left", fontsize=11)
    figure.supxlabel("each assumption halved (blue) and doubled (red), a share at most 1", fontsize=9)
    image = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reelrank"}):
        figure.savefig(image, format="svg", metadata={"Date": None}, facecolor="white")
    lines = image.getvalue().decode().splitlines()
    write_file(path, "\n".join(line.rstrip() for line in [*lines, ""]).encode())


def _draw(ax: "Axes", found: list[Sensitivity], present: float, unit: float) -> None:
    shown = found[:BARS]
    for row, one in enumerate(shown):
        for value, colour in ((one.halved, LESS_COLOUR), (one.doubled, MORE_COLOUR)):
            ax.barh(row, (value - present) / unit, left=present / unit, color=colour, height=0.6)
    ax.set_yticks(range(len(shown)), [one.assumption.replace("_", " ") for one in shown])
    ax.invert_yaxis()
    ax.axvline(present / unit, color="#595959", linewidth=1)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.spines[["top", "right"]].set_visible(False)

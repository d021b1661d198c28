"""Plots latency against the rate of requests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

COLOURS = {"p50": "#595959", "p95": "#D55E00", "p99": "#0072B2"}


def write_load_plot(curve: Sequence[Mapping[str, float]], path: Path, limit_ms: float) -> None:
    """Writes SVG and PNG; path has no suffix."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    rates = [point["rate"] for point in curve]
    for name, colour in COLOURS.items():
        values = [point[name] for point in curve]
        ax.plot(rates, values, marker="o", color=colour)
        ax.annotate(name, (rates[-1], values[-1]), (6, 0), textcoords="offset points", color=colour)
    ax.axhline(limit_ms, color="#bbbbbb", linestyle="--")
    ax.set_yscale("log")
    ax.set_xlabel("requests per second")
    ax.set_ylabel("milliseconds from the time due")
    ax.spines[["top", "right"]].set_visible(False)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reelrank"}):
        figure.savefig(path.with_name(path.name + ".svg"), metadata={"Date": None}, facecolor="white")
    figure.savefig(path.with_name(path.name + ".png"), dpi=130, facecolor="white")

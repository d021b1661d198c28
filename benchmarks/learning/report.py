"""Tables, missed aims and plots of `python -m benchmarks learning`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.markdown import format_table

MAX_RSS_MB, MAX_CPU_S, MAX_GROWTH, MAX_READY_S = 2048, 60.0, 1.1, 10.0
"""The aims: memory of any step, CPU seconds for a million impressions, memory for ten times as many
impressions, and seconds until a worker with ten million events is ready."""
LEARNING = ("export events", "build rows", "train")
READY = "start from the snapshot"
APART = "embeddings"
HEAD = ("impressions", "step", "wall (s)", "CPU (s)", "peak memory (MB)", "notes")
Run = Mapping[str, Any]


def find_step(run: Run, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(step for step in run["steps"] if step["step"] == name)
    return found


def compute_cpu_per_million(run: Run) -> float:
    """Returns CPU seconds of export, rows and booster for a million impressions."""
    total = sum(float(find_step(run, name)["cpu_s"]) for name in LEARNING)
    return total / (int(run["impressions"]) / 1e6)


def find_peak_mb(run: Run) -> int:
    """Returns the peak memory of the steps of learning, without that of embeddings."""
    return max(int(find_step(run, name)["rss_mb"]) for name in LEARNING)


def tabulate(runs: Sequence[Run]) -> str:
    """Returns a Markdown table of the steps, and one of what the aims are stated in."""
    rows = [
        (f"{run['impressions']:,}", step["step"], f"{step['wall_s']:,.1f}", f"{step['cpu_s']:,.1f}",
         f"{step['rss_mb']:,}", _note(step))
        for run in runs
        for step in run["steps"]
    ]  # fmt: skip
    totals = [
        (f"{run['impressions']:,}", f"{find_peak_mb(run):,}", f"{compute_cpu_per_million(run):,.1f}",
         f"{find_step(run, READY)['wall_s']:,.1f}", f"{run['bytes']['lake'] / 2**20:,.0f}",
         f"{run['bytes']['training-cache'] / 2**20:,.0f}")
        for run in runs
    ]  # fmt: skip
    head = (
        "impressions", "peak memory (MB)", "CPU seconds a million", "worker ready (s)", "lake (MB)",
        "cache (MB)",
    )  # fmt: skip
    return f"{format_table(head, totals)}\n\n{format_table(HEAD, rows)}\n"


def list_misses(runs: Sequence[Run]) -> Iterator[str]:
    """Yields a line for each aim that the largest history missed."""
    largest = max(runs, key=lambda run: int(run["impressions"]))
    if (peak := find_peak_mb(largest)) > MAX_RSS_MB:
        yield f"missed: {peak:,} MB of memory, the aim is {MAX_RSS_MB:,}"
    if (cpu := compute_cpu_per_million(largest)) > MAX_CPU_S:
        yield f"missed: {cpu:.0f} CPU seconds a million, the aim is {MAX_CPU_S:.0f}"
    if (ready := float(find_step(largest, READY)["wall_s"])) > MAX_READY_S:
        yield f"missed: a worker is ready after {ready:.1f} s, the aim is {MAX_READY_S:.0f}"
    tenth = [run for run in runs if int(run["impressions"]) * 10 == int(largest["impressions"])]
    if tenth and (growth := peak / find_peak_mb(tenth[0])) > MAX_GROWTH:
        yield f"missed: {growth:.2f} times the memory for ten times the impressions; aim: {MAX_GROWTH}"


def write_results(figures: Mapping[str, Any], directory: Path) -> None:
    """Writes JSON, Markdown and the plot."""
    stated = {**figures, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    (directory / "learning.json").write_text(json.dumps(stated, indent=1) + "\n")
    misses = "\n".join(f"- {line}" for line in list_misses(figures["runs"]))
    machine = figures["machine"]
    note = (
        f"`{figures['command']}`, {stated['at'][:10]}, {machine['cores']} cores ({machine['processor']}), "
        f"load {machine['load'][0]} at the start, {figures['took_s']} s."
    )
    (directory / "learning.md").write_text(f"{note}\n\n{tabulate(figures['runs'])}\n{misses}\n")
    write_plot(figures["runs"], directory / "learning")


def write_plot(runs: Sequence[Run], path: Path) -> None:
    """Writes SVG and PNG: memory, CPU seconds and time until a worker is ready, by impressions."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    sizes = [int(run["impressions"]) for run in runs]
    panels = (
        ("peak memory (MB)", [find_peak_mb(run) for run in runs], MAX_RSS_MB),
        ("CPU seconds a million impressions", [compute_cpu_per_million(run) for run in runs], MAX_CPU_S),
        ("seconds until a worker is ready", [find_step(run, READY)["wall_s"] for run in runs], MAX_READY_S),
    )
    for ax, (label, values, aim) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        ax.plot(sizes, values, marker="o", color="#0072B2")
        ax.axhline(aim, color="#bbbbbb", linestyle="--")
        ax.annotate("aim", (sizes[0], aim), (0, 3), textcoords="offset points", color="#595959")
        ax.set_xscale("log")
        ax.set_ylim(bottom=0)
        ax.set_xlabel("impressions")
        ax.set_ylabel(label)
        ax.spines[["top", "right"]].set_visible(False)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reelrank"}):
        figure.savefig(path.with_name(path.name + ".svg"), metadata={"Date": None}, facecolor="white")
    figure.savefig(path.with_name(path.name + ".png"), dpi=130, facecolor="white")


def _note(step: Mapping[str, Any]) -> str:
    measured = ("step", "wall_s", "cpu_s", "rss_mb")
    facts = {name: value for name, value in step.items() if name not in measured}
    return ", ".join(f"{name.replace('_', ' ')} {_format(value)}" for name, value in facts.items())


def _format(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)

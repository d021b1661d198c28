"""Plots how the figures of the engine grow with the catalogue, log-log, with slopes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Figure = Callable[[Any], float]
PANELS: dict[str, dict[str, Figure]] = {
    "a request, ms (median)": {
        "BM25": lambda f: f["words"]["no filter"]["ours_p50"],
        "BM25, a genre": lambda f: f["words"]["a genre"]["ours_p50"],
        "bare tantivy": lambda f: f["words"]["no filter"]["bare_p50"],
        "kNN 256": lambda f: f["vectors"]["text"]["no filter"]["ours_p50"],
        "kNN 256, 10 %": lambda f: f["vectors"]["text"]["10 % by language"]["ours_p50"],
        "kNN 256, 1 %": lambda f: f["vectors"]["text"]["1 % by language"]["ours_p50"],
        "bare faiss 256": lambda f: f["vectors"]["text"]["no filter"]["bare_p50"],
        "fetch 20": lambda f: f["fetch_20"]["ours_p50"],
    },
    "loading, s": {
        "engine": lambda f: sum(f["loading"]["ours_s"].values()),
        "tantivy + SQLite": lambda f: sum(f["loading"]["bare_s"].values()),
    },
    "size, MiB": {
        "disk": lambda f: sum(f["disk_mib"].values()),
        "a worker's own memory": lambda f: f["worker"]["working_mib"]["own"],
    },
}


def read_results(directory: Path) -> list[Any]:
    """Returns the figures of every measured size, smallest first."""
    files = directory.glob("engine-[0-9]*.json")
    return sorted((json.loads(path.read_text()) for path in files), key=lambda result: result["documents"])


def fit_slope(sizes: list[int], values: list[float]) -> float:
    """Returns the exponent of size ** slope: 0 is constant, 1 is linear in the size of the catalogue."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def write_growth(results: list[Any], path: Path) -> dict[str, float]:
    """Writes SVG and PNG and returns the slope of each line."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    sizes, slopes = [result["documents"] for result in results], {}
    figure, axes = plt.subplots(1, len(PANELS), figsize=(16, 5.5), layout="constrained")
    for axis, (title, lines) in zip(axes, PANELS.items(), strict=True):
        for name, get_figure in lines.items():
            values = [get_figure(result) for result in results]
            slopes[name] = round(fit_slope(sizes, values), 2)
            style = "--" if name.startswith(("bare", "tantivy")) else "-"
            axis.loglog(sizes, values, style, marker="o", label=f"{name} (slope {slopes[name]:.2f})")
        axis.set(title=title, xlabel="documents")
        axis.grid(True, which="both", alpha=0.25)
        axis.legend(fontsize=8)
    for kind in ("svg", "png"):
        figure.savefig(path.with_suffix(f".{kind}"), dpi=90)
    plt.close(figure)
    return slopes

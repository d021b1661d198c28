"""Tables of what an evaluation measured."""

import io
from collections.abc import Sequence

from rich.console import Console

from reelrank.app.cli.console import out
from reelrank.app.cli.tables.layout import WIDE_COLUMNS, Grid, print_grid, shorten_interval
from reelrank.ranking.evaluation.candidate_recall import CandidateRecall
from reelrank.ranking.evaluation.comparison import ALL_KINDS, MODEL, Evaluation

FEW_REQUESTS = 300
"""On 200 requests of the demo the interval of a difference was 0.03 wide, three times the effect of most
features and sources there (docs/benchmarks.md)."""


def print_evaluation(evaluation: Evaluation, wide: bool = False, console: Console = out) -> None:
    """Prints a table for each kind of request, then the differences between the model and the fused order."""
    for kind, requests in evaluation.requests.items():
        head, *rows = evaluation.build_quality_rows(kind)
        cells = rows if wide else [tuple(map(shorten_interval, row)) for row in rows]
        title = f"Quality on {requests:,} later requests ({kind}), with 95 % intervals"
        names = [name.replace("_", " ") for name in head]
        print_grid(Grid(names, cells, title=title), wide, console)
    if evaluation.requests[ALL_KINDS] < FEW_REQUESTS:
        few = (
            f"{evaluation.requests[ALL_KINDS]} requests are few: most differences between models are chance."
        )
        console.print(few, markup=False, soft_wrap=True)
    for note in evaluation.notes:
        console.print(note, markup=False, soft_wrap=True)
    for result in evaluation.differences:
        interval, name = result.interval, f"{result.system}, {result.measure}, {result.kind}"
        line = f"{name}: {interval.mean:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
        console.print(line, markup=False, soft_wrap=True)


def build_recall_row(row: CandidateRecall) -> dict[str, object]:
    recalls = {f"recall@{k}": value for k, value in row.recall_by_depth.items()}
    return {"source": row.source, "requests": row.requests, **recalls, "only here": row.only_here}


def print_recall(rows: Sequence[CandidateRecall], console: Console = out) -> None:
    """Prints the share of watched items that each source found."""
    built = [build_recall_row(row) for row in rows]
    cells = [
        [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row.values()] for row in built
    ]
    print_grid(Grid(list(built[0]), cells, title="What each candidate source finds"), console=console)


def render_training_run(evaluation: Evaluation, recall: Sequence[CandidateRecall]) -> str:
    """Returns the tables of a training run as text, for a file."""
    text = io.StringIO()
    console = Console(file=text, width=WIDE_COLUMNS, highlight=False)
    print_evaluation(evaluation, wide=True, console=console)
    print_recall(recall, console)
    return text.getvalue()


def describe_gain(evaluation: Evaluation, seconds: float) -> str:
    """Says how much better the model ranks than the order that needs no learning."""
    gain, measured = evaluation.find_difference(), evaluation.collect_metrics(MODEL)["ndcg@10"]
    return (
        f"reelrank learned to rank in {seconds:.0f} s: on {evaluation.requests[ALL_KINDS]:,} later requests "
        f"the model's NDCG@10 is {measured.value:.3f}, {gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] "
        "beside the order without a model."
    )

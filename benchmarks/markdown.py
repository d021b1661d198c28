"""Formats tables as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

PAIR_HEAD = ("ours p50, p99 (ms)", "bare p50, p99 (ms)", "ratio at p50", "at p99")


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_format_row(head), "|" + "---|" * len(head), *map(_format_row, rows)]
    return "\n".join(lines)


def format_ms(value: float) -> str:
    """Returns milliseconds with two significant digits, or all digits before the point."""
    digits = 0 if value >= 9.95 else 1 if value >= 0.995 else 2
    return f"{value:,.{digits}f}"


def format_pair(pair: Mapping[str, Any]) -> list[str]:
    """Returns the cells for PAIR_HEAD, with the lowest and highest ratio of a round in brackets."""
    low, high = pair["ratio_p50_spread"]
    both = [", ".join(format_ms(pair[f"{who}_{q}"]) for q in ("p50", "p99")) for who in ("ours", "bare")]
    return [*both, f"{pair['ratio_p50']:.2f} ({low:.2f} to {high:.2f})", f"{pair['ratio_p99']:.2f}"]


def _format_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"

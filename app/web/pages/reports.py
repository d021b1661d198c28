"""The last training run's report: its table and its pictures, where there is one."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from flask import Response, abort, send_from_directory

from ranking.evaluation import Evaluation

PICTURES = {"quality.svg": "Each measure of each system with its 95 % interval",
            "gains.svg": "The features that gained the model most"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """table: a heading and a row a system. pictures: (file, what it shows)."""

    evaluation: Evaluation
    table: Sequence[tuple[str, ...]]
    pictures: tuple[tuple[str, str], ...]


def last_report(directory: Path) -> Report | None:
    """None when nothing was evaluated yet, or by a build whose report this one cannot read."""
    try:
        evaluation = Evaluation.from_json((directory / "evaluation.json").read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    pictures = tuple((name, words) for name, words in PICTURES.items() if (directory / name).exists())
    return Report(evaluation, evaluation.quality_rows("all"), pictures)


def picture(directory: Path, name: str) -> Response:
    if name not in PICTURES:
        abort(HTTPStatus.NOT_FOUND)
    response = send_from_directory(directory.absolute(), name)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response

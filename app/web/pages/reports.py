"""The last training run's report: its table and its pictures, where there is one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from flask import Response, abort, send_from_directory

from reelrank.ranking.evaluation.comparison import Evaluation

PICTURES = {"quality.svg": "Each measure of each system with its 95 % interval",
            "gains.svg": "The features that gained the model most"}  # fmt: skip

VIEW_BOX = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')


@dataclass(frozen=True, slots=True)
class Picture:
    """words: what it shows. width, height: in points, so that its place is kept until it is there."""

    name: str
    description: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Report:
    """table: a heading and a row a system."""

    evaluation: Evaluation
    table: Sequence[tuple[str, ...]]
    pictures: tuple[Picture, ...]


def load_last_report(directory: Path) -> Report | None:
    """None when nothing was evaluated yet, or by a build whose report this one cannot read."""
    try:
        evaluation = Evaluation.from_json((directory / "evaluation.json").read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    pictures = [_load_picture(directory / name, words) for name, words in PICTURES.items()]
    return Report(
        evaluation, evaluation.build_quality_rows("all"), tuple(p for p in pictures if p is not None)
    )


def _load_picture(file: Path, description: str) -> Picture | None:
    try:
        with file.open() as lines:
            size = VIEW_BOX.search(lines.read(2000))
    except OSError:
        return None
    return (
        None if size is None else Picture(file.name, description, *(round(float(n)) for n in size.groups()))
    )


def send_picture(directory: Path, name: str) -> Response:
    if name not in PICTURES:
        abort(HTTPStatus.NOT_FOUND)
    response = send_from_directory(directory.absolute(), name)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response

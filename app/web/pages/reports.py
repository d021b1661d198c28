"""The evaluation report of the last training run: its table and its pictures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from flask import Response, abort, send_from_directory

from reelrank.ranking.evaluation.comparison import Evaluation

PICTURES = {"quality.svg": "Each measure of each system with its 95 % interval",
            "gains.svg": "The features with the largest gain in the model",
            "popularity.svg": "Popularity alone, by the days after which a watch counts half"}  # fmt: skip

NARROW = {"quality.svg": "quality-narrow.svg"}
"""Pictures that are too wide for a phone, and the form for it; reports of earlier builds have none."""

VIEW_BOX = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the quality page.

    description: alternative text. width, height: in points, so that the page layout does not shift.

    narrow: the picture for phones, None where there is none.
    """

    name: str
    description: str
    width: int
    height: int
    narrow: "Picture | None" = None


@dataclass(frozen=True, slots=True)
class Report:
    """What the quality page shows of the last training run.

    table: a head row and one row per system.
    """

    evaluation: Evaluation
    table: Sequence[tuple[str, ...]]
    pictures: tuple[Picture, ...]


def load_last_report(directory: Path) -> Report | None:
    """Loads the report; None when there is none, or one of a build whose format this build cannot read."""
    try:
        evaluation = Evaluation.from_json((directory / "evaluation.json").read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    pictures = [_load_picture(directory / name, description) for name, description in PICTURES.items()]
    return Report(
        evaluation, evaluation.build_quality_rows("all"), tuple(p for p in pictures if p is not None)
    )


def _load_picture(file: Path, description: str) -> Picture | None:
    try:
        with file.open() as lines:
            size = VIEW_BOX.search(lines.read(2000))
    except OSError:
        return None
    if size is None:
        return None
    width, height = (round(float(number)) for number in size.groups())
    narrow = NARROW.get(file.name)
    for_phones = _load_picture(file.with_name(narrow), description) if narrow else None
    return Picture(file.name, description, width, height, for_phones)


def send_picture(directory: Path, name: str) -> Response:
    if name not in (*PICTURES, *NARROW.values()):
        abort(HTTPStatus.NOT_FOUND)
    response = send_from_directory(directory.absolute(), name)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response

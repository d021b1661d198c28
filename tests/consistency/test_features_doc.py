"""docs/features.md holds every feature: its group, the signals it reads, what is done when one is missing."""

from pathlib import Path

import pytest

from reelrank.ranking.features.compute import FEATURES

DOC = Path(__file__).parents[2] / "docs" / "features.md"
HEAD = """# Features

A signal is observed when a page is requested. A feature is a pure function of signals, the same in
training and in serving. `reelrank features` lists them with their gain in the serving model and their cost.

| feature | group | signals read | when missing | meaning |
|---|---|---|---|---|
"""


def _quote(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def test_the_features_page_holds_every_feature(pytestconfig: pytest.Config) -> None:
    rows = [
        f"| `{f.name}` | {f.group} | {_quote(f.reads)} | {f.missing} | {f.description} |\n" for f in FEATURES
    ]
    page = HEAD + "".join(rows)
    if pytestconfig.getoption("--renew"):
        DOC.write_text(page)
    assert DOC.read_text() == page, "run `pytest tests/consistency --renew` and read the diff"

"""Every package is listed in pyproject.toml, and files, packages and functions stay small."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOT_PACKAGES = ("app", "index_mappings", "loaders", "ranking")
MEASURED = (*ROOT_PACKAGES, "benchmarks", "deploy")
MAX_LINES, MAX_MODULES, MAX_FUNCTION_LINES, MAX_CONTRACT_LINES = 250, 12, 40, 120


def test_every_package_of_the_tree_is_listed_and_no_other() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = [path.parent for root in ROOT_PACKAGES for path in (ROOT / root).rglob("__init__.py")]
    found = sorted("reelrank." + ".".join(folder.relative_to(ROOT).parts) for folder in folders)
    assert setuptools["packages"] == found
    assert setuptools["package-dir"] == {f"reelrank.{root}": root for root in ROOT_PACKAGES}


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for root in ROOT_PACKAGES for path in (ROOT / root).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_import_contracts_have_at_most_120_lines() -> None:
    assert len((ROOT / ".importlinter").read_text().splitlines()) <= MAX_CONTRACT_LINES


def test_no_module_has_more_than_250_lines() -> None:
    lines = {name: len(text.splitlines()) for name, text in _read_modules()}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_no_package_has_more_than_a_dozen_modules() -> None:
    names = [Path(name) for name, _ in _read_modules()]
    modules = Counter(str(name.parent) for name in names if name.name != "__init__.py")
    assert {name: count for name, count in modules.items() if count > MAX_MODULES} == {}


def test_no_function_has_more_than_40_lines() -> None:
    lengths = {
        f"{name}: {function}": length
        for name, text in _read_modules()
        for function, length in _measure_functions(text)
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("start", ["def", "async def"])
def test_a_function_is_as_long_as_its_lines_from_its_name_on(start: str) -> None:
    text = f"@cache\n{start} one(\n):\n    def two() -> None:\n        ...\n    two()\n"
    assert dict(_measure_functions(text)) == {"one": 5, "two": 2}


def _read_modules() -> Iterator[tuple[str, str]]:
    for folder in MEASURED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def _measure_functions(text: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1

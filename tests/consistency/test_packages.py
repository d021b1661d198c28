"""The list of packages in pyproject.toml names every package of the tree."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOT_PACKAGES = ("app", "index_mappings", "loaders", "ranking")


def test_every_package_of_the_tree_is_listed_and_no_other() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = [path.parent for root in ROOT_PACKAGES for path in (ROOT / root).rglob("__init__.py")]
    found = sorted("reelrank." + ".".join(folder.relative_to(ROOT).parts) for folder in folders)
    assert setuptools["packages"] == found
    assert setuptools["package-dir"] == {f"reelrank.{root}": root for root in ROOT_PACKAGES}


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for root in ROOT_PACKAGES for path in (ROOT / root).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []

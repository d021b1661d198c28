"""Checks the structure of a LightGBM model file before LightGBM parses it.

LightGBM trusts the counts, node numbers and sizes in its text format. A file in which they are wrong makes it
read or write outside of its arrays, at once or for some later row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reelrank.ranking.rankers.manifest import InvalidModel
from reelrank.ranking.rankers.tree_shape import check_shape

END = "end of trees"
PARAMETERS_END = "end of parameters"
PARAMETER = re.compile(r"\[\w+: .*\]")
NUMBERS = re.compile(r"[-+.0-9a-zA-Z ]*")
INTEGERS = re.compile(r" *(-?[0-9]{1,18}(?: +|$))*")
NODE_INTEGERS = ("split_feature", "decision_type", "left_child", "right_child")
NODE_NUMBERS = (*NODE_INTEGERS, "threshold")
NODE_FACTS = ("split_gain", "internal_value", "internal_weight", "internal_count")
LEAF_FACTS = ("leaf_weight", "leaf_count")
OPTIONAL = {*NODE_FACTS, *LEAF_FACTS}
Lines = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelText:
    """The header of a model file. bounds: smallest and largest value of each feature."""

    feature_names: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]


def read_model_text(text: str) -> ModelText:
    """Returns the header of a file of valid trees. Raises ValueError with what is wrong, and where."""
    if "\0" in text:
        raise ValueError("the model file holds a zero byte; it is no text")
    begin = text.find("\nTree=") + 1
    if not text.startswith("tree\n") or not begin:
        raise ValueError("it is no LightGBM model file, or one without trees")
    header = _parse_lines(text[:begin].split("\n")[1:], "the header")
    model = _parse_header(header)
    for number, tree in enumerate(_split_trees(text.encode(), len(text[:begin].encode()), header)):
        try:
            _check_tree(tree, len(model.feature_names))
        except (ValueError, OverflowError) as error:
            code = getattr(error, "code", "model_file_damaged")
            raise InvalidModel(f"tree {number} of the model file: {error}", code) from error
    return model


def _parse_lines(lines: Sequence[str], where: str) -> dict[str, str]:
    """Parses lines of key=value. LightGBM stops at an empty line, so only empty ones may follow it."""
    values: dict[str, str] = {}
    remaining = list(lines)
    while remaining and not remaining[-1]:
        remaining.pop()
    for line in remaining:
        if not line:
            raise ValueError(f"{where} is broken by an empty line")
        key, _, value = line.partition("=")
        if key in values:
            raise ValueError(f"{where} states {key[:40]} twice")
        values[key] = value
    return values


def _parse_header(header: Lines) -> ModelText:
    names = tuple(_get_value(header, "feature_names").split(" "))
    infos = _get_value(header, "feature_infos").split(" ")
    count = _parse_integer(header, "max_feature_idx") + 1
    if not count == len(names) == len(infos):
        raise ValueError(
            f"the model file's header has max_feature_idx={count - 1}, {len(names)} feature_names and "
            f"{len(infos)} feature_infos"
        )
    if _parse_integer(header, "num_tree_per_iteration") != 1 or _parse_integer(header, "num_class") != 1:
        raise ValueError("the model file gives several scores a row, a ranker gives one")
    return ModelText(names, tuple(_parse_bounds(info) for info in infos))


def _parse_bounds(info: str) -> tuple[float, float]:
    """Parses [low:high], or categories with colons between them; returns 0 to 1 for neither."""
    try:
        values = [float(value) for value in info.strip("[]").split(":")]
    except ValueError:
        return (0.0, 1.0)
    low, high = min(values), max(values)
    return (low, high) if np.isfinite([low, high]).all() and low < high else (0.0, 1.0)


def _split_trees(text: bytes, begin: int, header: Lines) -> Iterator[dict[str, str]]:
    """Yields the lines of each tree, cut by `tree_sizes` as LightGBM does, else where a tree begins."""
    sizes = _parse_integers(header["tree_sizes"]) if "tree_sizes" in header else _find_tree_sizes(text, begin)
    for number, size in enumerate(sizes):
        part = text[begin : begin + max(size, 0)]
        if size <= 0 or len(part) < size:
            raise ValueError(f"the model file is cut short: tree {number} of {len(sizes)} is not whole")
        first, *lines = part.decode("utf-8", "replace").split("\n")
        if first != f"Tree={number}" or any(line.startswith("Tree=") for line in lines) or lines[-1:] != [""]:
            raise ValueError(f"tree_sizes of the model file do not fit its trees, from tree {number} on")
        yield _parse_lines(lines, f"tree {number} of the model file")
        begin += size
    rest = text[begin:].decode("utf-8", "replace").split("\n")
    if rest[0] != END:
        raise ValueError(f"the model file lacks its line {END!r} after {len(sizes)} trees")
    if END in rest[1:] or any(line.startswith("Tree=") for line in rest):
        raise ValueError("the model file holds more than one model")
    _check_parameters(rest)


def _check_parameters(lines: Sequence[str]) -> None:
    """Checks the training parameters: lines of [name: value] between two lines of their own."""
    if "parameters:" not in lines:
        return
    parameters = lines[lines.index("parameters:") + 1 :]
    if PARAMETERS_END not in parameters:
        raise ValueError(f"the model file is cut short: it lacks its line {PARAMETERS_END!r}")
    for line in filter(None, parameters[: parameters.index(PARAMETERS_END)]):
        if not PARAMETER.fullmatch(line):
            raise ValueError(f"the model file has {line[:40]!r} among its parameters; they are [name: value]")


def _find_tree_sizes(text: bytes, begin: int) -> list[int]:
    """Returns the bytes from each line that begins a tree to the next one or to the end of trees."""
    end = text.find(f"\n{END}".encode(), begin) + 1
    begins = [
        begin,
        *(found.start() + 1 for found in re.finditer(rb"\nTree=", text[:end]) if found.start() >= begin),
    ]
    return [later - earlier for earlier, later in pairwise([*begins, end])]


def _check_tree(tree: Lines, features: int) -> None:
    """Raises ValueError unless every number that LightGBM follows leads to something in the tree."""
    leaves = _parse_integer(tree, "num_leaves")
    if tree.get("is_linear", "0") != "0":
        raise InvalidModel(
            "it has linear models in its leaves; train without linear_tree, so that it can be explained",
            "linear_trees",
        )
    if not 1 <= leaves <= len(tree.get("leaf_value", "")):
        raise ValueError(f"num_leaves is {leaves}, leaf_value is too short for that")
    for names, count in (((*NODE_NUMBERS, *NODE_FACTS), leaves - 1), (("leaf_value", *LEAF_FACTS), leaves)):
        for name in names:
            _check_count(tree, name, count, optional=name in OPTIONAL)
    if not np.isfinite(_parse_floats(tree, "leaf_value")).all():
        raise ValueError("leaf_value has a value that is infinite")
    if leaves == 1:
        return
    nodes = {name: np.array(_parse_integers(tree[name]), np.int64) for name in NODE_INTEGERS}
    _check_range("split_feature", nodes["split_feature"], 0, features - 1)
    _check_range("decision_type", nodes["decision_type"], 0, 11)
    check_shape(nodes["left_child"], nodes["right_child"])
    _check_categories(tree, nodes["decision_type"] % 2 == 1, _parse_floats(tree, "threshold"))


def _check_count(tree: Lines, name: str, count: int, optional: bool) -> None:
    """Raises ValueError unless a line has so many numbers.

    optional: the line may be missing, and LightGBM leaves it empty for a tree of one leaf.
    """
    if optional and name not in tree:
        return
    value = _get_value(tree, name)
    if not NUMBERS.fullmatch(value):
        raise ValueError(f"{name} holds something other than numbers")
    found = len([float(number) for number in value.split()])
    if found != count and not (optional and not found and count == 1):
        raise ValueError(f"{name} has {found} numbers, not {count}")


def _check_categories(tree: Lines, categorical: NDArray[np.bool_], thresholds: NDArray[np.float64]) -> None:
    sets = _parse_integer(tree, "num_cat")
    if not sets and not categorical.any():
        return
    limits = np.array(_parse_integers(_get_value(tree, "cat_boundaries")), np.int64)
    words = np.array(_parse_integers(_get_value(tree, "cat_threshold")), np.int64)
    _check_range("cat_threshold", words, 0, 2**32 - 1)
    if len(limits) != sets + 1 or limits[0] != 0 or limits[-1] != len(words) or (np.diff(limits) < 0).any():
        raise ValueError(f"cat_boundaries do not cut {len(words)} cat_threshold into {sets} sets")
    _check_range("threshold of a categorical split", thresholds[categorical], 0, sets - 1)


def _parse_floats(tree: Lines, name: str) -> NDArray[np.float64]:
    """Parses numbers. Infinite ones are allowed: LightGBM writes such thresholds itself."""
    values = np.array([float(value) for value in tree[name].split()], np.float64)
    if np.isnan(values).any():
        raise ValueError(f"{name} has a value that is no number")
    return values


def _check_range(name: str, values: NDArray[np.int64] | NDArray[np.float64], low: int, high: int) -> None:
    outside = values[(values < low) | (values > high)]
    if len(outside):
        raise ValueError(f"{name} has {outside[0]}, outside of {low} to {high}")


def _get_value(lines: Lines, key: str) -> str:
    if key not in lines:
        raise ValueError(f"the model file does not state {key}")
    return lines[key]


def _parse_integer(lines: Lines, key: str) -> int:
    numbers = _parse_integers(_get_value(lines, key))
    if len(numbers) != 1:
        raise ValueError(f"{key} is no number")
    return numbers[0]


def _parse_integers(value: str) -> list[int]:
    if not INTEGERS.fullmatch(value):
        raise ValueError(f"{value[:40]!r} should be whole numbers")
    return [int(number) for number in value.split()]

"""Sticky assignment: a viewer has the same arm on every page of an experiment, in every worker."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

CONTROL, CANARY = "control", "canary"
DIGEST_BYTES = 8
SEPARATOR = " "
"""Between the experiments of a page, and between their arms: a viewer can be in one of each layer."""
ArmNames = tuple[str, str]
"""The experiments of a page and the arm in each, in the same order; both empty for none."""
NO_ARM: ArmNames = ("", "")


def draw_share(salt: str, viewer: str) -> float:
    """Returns a number in [0, 1) that a viewer has in an experiment: uniform over viewers, independent of
    other salts."""
    digest = hashlib.sha256(f"{salt}\0{viewer}".encode()).digest()[:DIGEST_BYTES]
    return float(int.from_bytes(digest, "big") / (1 << 8 * DIGEST_BYTES))


def assign_variant(salt: str, viewer: str, share: float) -> str:
    """Returns CANARY for a share of the viewers, CONTROL for the others."""
    return CANARY if draw_share(salt, viewer) < share else CONTROL


def choose_arm(salt: str, viewer: str, shares: Sequence[float]) -> int:
    """Returns the index of the viewer's arm; each has its share of the viewers. shares: add up to 1."""
    drawn, bound = draw_share(salt, viewer), 0.0
    for index, share in enumerate(shares[:-1]):
        bound += share
        if drawn < bound:
            return index
    return len(shares) - 1


def join_arms(arms: Iterable[ArmNames]) -> ArmNames:
    """Returns the experiments of a page and their arms as two texts, for its decision and its events."""
    known = [arm for arm in arms if arm[0]]
    experiments, variants = ([arm[part] for arm in known] for part in (0, 1))
    return SEPARATOR.join(experiments), SEPARATOR.join(variants)


def find_arm(joined: ArmNames, experiment: str) -> str:
    """Returns the arm in one experiment; empty for a page that is not in it."""
    experiments, variants = (text.split(SEPARATOR) for text in joined)
    return variants[experiments.index(experiment)] if experiment in experiments else ""


def find_arms(experiments: NDArray[np.str_], variants: NDArray[np.str_], experiment: str) -> NDArray[np.str_]:
    """Returns the arm [q] of each page in one experiment; empty where it is not in it."""
    if not len(experiments):
        return np.empty(0, np.str_)
    joined = np.char.add(np.char.add(experiments, "\n"), variants)
    pairs, codes = np.unique(joined, return_inverse=True)
    split = [pair.partition("\n") for pair in pairs.tolist()]
    found = [find_arm((names, arms), experiment) for names, _, arms in split]
    return np.asarray(found, np.str_)[codes]

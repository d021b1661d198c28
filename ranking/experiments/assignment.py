"""Sticky assignment: a viewer has the same arm on every page of an experiment, in every worker."""

import hashlib

CONTROL, CANARY = "control", "canary"
DIGEST_BYTES = 8


def draw_share(salt: str, viewer: str) -> float:
    """Returns a number in [0, 1) that a viewer has in an experiment: uniform over viewers, independent of
    other salts."""
    digest = hashlib.sha256(f"{salt}\0{viewer}".encode()).digest()[:DIGEST_BYTES]
    return float(int.from_bytes(digest, "big") / (1 << 8 * DIGEST_BYTES))


def assign_variant(salt: str, viewer: str, share: float) -> str:
    """Returns CANARY for a share of the viewers, CONTROL for the others."""
    return CANARY if draw_share(salt, viewer) < share else CONTROL

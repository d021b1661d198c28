"""Parsers of numbers and flags, as numbers and as text. They raise ValueError."""

import math
import re

MAX_INT = 2**31 - 1
"""The largest int32, the type of number columns in the item table."""
NUMBER_PATTERN = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
MAX_SHOWN_CHARACTERS = 60
"""Longer values are cut in error messages, so that a message fits on a line or two."""


def parse_number(value: object) -> float | None:
    """Returns a number, or the number that text spells; None for anything else and for booleans."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} is not a finite number")
        return value
    text = str(value).strip()
    if not NUMBER_PATTERN.fullmatch(text):
        return None
    number = int(text) if text.lstrip("+-").isdigit() else float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is too large a number")
    return number


def find_number(value: object) -> float | None:
    """Returns a finite number as `parse_number` does, None for anything else."""
    try:
        return parse_number(value)
    except ValueError:
        return None


def parse_integer(value: object) -> int:
    """Returns a whole number from 0 to MAX_INT. Raises ValueError."""
    number = parse_number(value)
    if number is None or number != int(number) or not 0 <= number <= MAX_INT:
        raise ValueError(f"{abbreviate(value)} is not a whole number from 0 to {MAX_INT}")
    return int(number)


def parse_decimal(value: object) -> float:
    """Returns a finite number. Raises ValueError."""
    number = parse_number(value)
    if number is None:
        raise ValueError(f"{abbreviate(value)} is not a number")
    return number


def parse_flag(value: object) -> bool:
    """Returns a boolean for true, yes or 1 and for false, no or 0, in any case. Raises ValueError."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if (flag := known.get(str(value).strip().lower())) is None:
        raise ValueError(
            f"{abbreviate(value)} is neither true nor false; write true, yes or 1, or false, no or 0"
        )
    return flag


def abbreviate(value: object) -> str:
    """Returns a value as a message shows it."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 3]}..."

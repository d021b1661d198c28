"""Parser of durations in the forms that people write."""

import re
from datetime import timedelta
from typing import Literal, get_args

from reelrank.loaders.fields.numbers import parse_number

Unit = Literal["ms", "s", "min", "h"]
UNITS: tuple[Unit, ...] = get_args(Unit)
MS_PER_UNIT: dict[Unit, int] = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}
MAX_DURATION_MS = 10 * 365 * 86_400_000
"""Ten years: a longer video or watch means a wrong unit or a wrong column."""
MAX_CHARACTERS = 100
"""The patterns below need quadratic time for long texts, which are no durations."""
CLOCK_PATTERN = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})(?:\.\d+)?")
WORDS_PATTERN = re.compile(
    r"\s*(\d+(?:\.\d+)?)\s*(hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|milliseconds?|ms)(?![a-z])\.?",
    re.IGNORECASE,
)
BETWEEN_WORDS = re.compile(r"[\s,&]|\band\b", re.IGNORECASE)
PER_EPISODE = re.compile(r"\s*(?:per|/|each)\s*(?:ep(?:isode)?|episodes?)?\.?$", re.IGNORECASE)
"""What follows the duration of one episode in lists of series: 24 min. per ep."""
ISO_PATTERN = re.compile(
    r"P(?:(\d+)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE
)
MS_PER_LETTER = {"h": 3_600_000, "m": 60_000, "s": 1000}


def parse_duration_ms(value: object, unit: Unit | None) -> int:
    """Parses a duration in ms: a number in `unit`, or text such as 1:32:05, 92 min, 1h 32m or PT1H32M."""
    if isinstance(value, timedelta):
        ms: float = value / timedelta(milliseconds=1)
    elif (number := parse_number(value)) is not None:
        if unit is None:
            raise ValueError(f"{value!r} has no unit; add --duration-unit {'|'.join(UNITS)}")
        ms = number * MS_PER_UNIT[unit]
    else:
        ms = _parse_text(str(value).strip())
    if not 0 <= ms <= MAX_DURATION_MS:
        raise ValueError(f"{value!r} is not a duration from 0 to ten years; check the unit")
    return round(ms)


def _parse_text(text: str) -> float:
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{text[:MAX_CHARACTERS]!r}... is not a duration; it is too long")
    if clock := CLOCK_PATTERN.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return 1000.0 * (3600 * hours + 60 * minutes + seconds)
    if len(text) > 1 and (iso := ISO_PATTERN.fullmatch(text)):
        days, hours_, minutes_, seconds_ = (float(part or 0) for part in iso.groups())
        return 1000.0 * (86_400 * days + 3600 * hours_ + 60 * minutes_ + seconds_)
    text = PER_EPISODE.sub("", text)
    parts = WORDS_PATTERN.findall(text)
    if parts and not BETWEEN_WORDS.sub("", WORDS_PATTERN.sub("", text)):
        return sum(float(amount) * _get_word_ms(word.lower()) for amount, word in parts)
    raise ValueError(f"{text!r} is not a duration; write it as 92 min, 1:32:05 or PT1H32M")


def _get_word_ms(word: str) -> int:
    return 1 if word in ("ms", "millisecond", "milliseconds") else MS_PER_LETTER[word[0]]

"""Parsers of dates, times and durations in the forms that people write. They raise ValueError."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Literal, get_args

Unit = Literal["ms", "s", "min", "h"]
UNITS: tuple[Unit, ...] = get_args(Unit)
MS_PER_UNIT: dict[Unit, int] = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}
MAX_DURATION_MS = 10 * 365 * 86_400_000
"""Ten years: a longer video or watch means a wrong unit or a wrong column."""
MAX_EPOCH_MS = 253_402_300_799_000
"""The last second of the year 9999, the largest that Python's datetime can represent."""
MIN_EPOCH = 1e8
"""Smaller numbers may be years or days such as 19991231; as seconds it is in 1973."""
MAX_USUAL_EPOCH_S = 4_102_444_800
"""The first second of 2100. More seconds are probably milliseconds."""
DATE_FORMATS = (
    "%d %b %Y",
    "%d %B %Y",
    "%b %d %Y",
    "%B %d %Y",
    "%Y %b %d",
    "%Y %B %d",
    "%b %Y",
    "%B %Y",
    "%Y-%m",
)
"""Dates with a month in English are compared after `_simplify_written_date`."""
WEEKDAY_PATTERN = re.compile(r"^(mon|tues?|wed(nes)?|thu(rs?)?|fri|sat(ur)?|sun)(day)?\b", re.IGNORECASE)
ORDINAL_PATTERN = re.compile(r"\b(\d{1,2})(st|nd|rd|th)\b", re.IGNORECASE)
CLOCK_PATTERN = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})(?:\.\d+)?")
DURATION_WORDS_PATTERN = re.compile(
    r"\s*(\d+(?:\.\d+)?)\s*(h|hr|hour|m|min|minute|s|sec|second|ms)s?\b\.?", re.IGNORECASE
)
ISO_DURATION_PATTERN = re.compile(
    r"P(?:(\d+)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE
)
MS_PER_WORD = {
    "h": 3_600_000, "hr": 3_600_000, "hour": 3_600_000, "m": 60_000, "min": 60_000, "minute": 60_000,
    "s": 1000, "sec": 1000, "second": 1000, "ms": 1,
}  # fmt: skip
NUMBER_PATTERN = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


def detect_epoch_unit(values: Iterable[object]) -> Unit | None:
    """Returns whether the numbers of a date column are seconds or milliseconds since 1970, None if neither.

    A single value does not tell: 63072000000 is 1972 in milliseconds and 3968 in seconds. So the
    unit is the one in which most numbers of the column are within a century of 1970 and 2100.
    """
    numbers = [abs(number) for value in values if (number := _find_number(value)) is not None]
    epochs = [number for number in numbers if number >= MIN_EPOCH]
    if not epochs:
        return None
    return "ms" if 2 * sum(number > MAX_USUAL_EPOCH_S for number in epochs) > len(epochs) else "s"


def parse_datetime(value: object, epoch_unit: Unit | None = None) -> datetime:
    """Parses a date or time; without a time zone it is in UTC.

    A number is in `epoch_unit` since 1970. Without a unit, a number of four digits is a year, one of
    eight digits a day such as 19991231, one from 1e8 seconds, one from 1e11 milliseconds.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    number = parse_number(value)
    if number is None:
        return _parse_date_text(str(value).strip())
    if epoch_unit is not None:
        return _from_epoch_ms(number * MS_PER_UNIT[epoch_unit], value)
    return _parse_date_number(number, value)


def parse_epoch_ms(value: object, unit: Unit | None = None) -> int:
    """Parses a time as milliseconds since 1970. A number is in `unit`; without one see `parse_datetime`.

    A time before 1970 is an error: events of viewers cannot be that old.
    """
    number = None if isinstance(value, date) else parse_number(value)
    if number is None or unit is None:
        ms = round(parse_datetime(value).timestamp() * 1000)
    else:
        ms = round(number * MS_PER_UNIT[unit])
    if not 0 <= ms <= MAX_EPOCH_MS:
        raise ValueError(f"{value!r} is not a time between 1970 and 9999")
    return ms


def parse_duration_ms(value: object, unit: Unit | None) -> int:
    """Parses a duration in ms: a number in `unit`, or text such as 1:32:05, 92 min, 1h 32m or PT1H32M."""
    if isinstance(value, timedelta):
        ms: float = value / timedelta(milliseconds=1)
    elif (number := parse_number(value)) is not None:
        if unit is None:
            raise ValueError(f"{value!r} has no unit; add --duration-unit {'|'.join(UNITS)}")
        ms = number * MS_PER_UNIT[unit]
    else:
        ms = _parse_duration_text(str(value).strip())
    if not 0 <= ms <= MAX_DURATION_MS:
        raise ValueError(f"{value!r} is not a duration from 0 to ten years; check the unit")
    return round(ms)


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
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _parse_date_number(number: float, value: object) -> datetime:
    """Parses a number without a unit by its size, as `parse_datetime` says."""
    if 1000 <= number <= 9999 and number == int(number):
        return datetime(int(number), 1, 1, tzinfo=UTC)
    if 1e7 <= number < 1e8:
        return _parse_date_text(str(int(number)))
    return datetime.fromtimestamp(_to_epoch_ms(number, value) / 1000, UTC)


def _find_number(value: object) -> float | None:
    try:
        return None if isinstance(value, date) else parse_number(value)
    except ValueError:
        return None


def _from_epoch_ms(ms: float, value: object) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    except OverflowError as error:
        raise ValueError(f"{value!r} is not a time before the year 10000") from error


def _to_epoch_ms(number: float, value: object) -> int:
    if 1e8 <= number < 1e11:
        return round(number * 1000)
    if 1e11 <= number <= MAX_EPOCH_MS:
        return round(number)
    raise ValueError(f"{value!r} is not a year, and not seconds or milliseconds since 1970")


def _parse_date_text(text: str) -> datetime:
    iso = re.sub(r"^(\d{4})/(\d{2})/(\d{2})", r"\1-\2-\3", text)
    try:
        return parse_datetime(datetime.fromisoformat(iso))
    except (ValueError, OverflowError):
        pass
    simple = _simplify_written_date(text)
    for date_format in DATE_FORMATS:
        try:
            return datetime.strptime(simple, date_format).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(f"{text!r} is not a date; write it as 1999-12-31 or 1999-12-31T23:59:59Z")


def _simplify_written_date(text: str) -> str:
    """Returns "Fri, 12th Jun-1998" as "12 Jun 1998"; text without letters is unchanged."""
    if not any(character.isalpha() for character in text):
        return text
    without_weekday = WEEKDAY_PATTERN.sub("", text)
    return re.sub(r"[\s,.\-/]+", " ", ORDINAL_PATTERN.sub(r"\1", without_weekday)).strip()


def _parse_duration_text(text: str) -> float:
    if clock := CLOCK_PATTERN.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return 1000.0 * (3600 * hours + 60 * minutes + seconds)
    if len(text) > 1 and (iso := ISO_DURATION_PATTERN.fullmatch(text)):
        days, hours_, minutes_, seconds_ = (float(part or 0) for part in iso.groups())
        return 1000.0 * (86_400 * days + 3600 * hours_ + 60 * minutes_ + seconds_)
    parts = DURATION_WORDS_PATTERN.findall(text)
    if parts and not DURATION_WORDS_PATTERN.sub("", text).strip(" ,"):
        return sum(float(amount) * MS_PER_WORD[name.lower()] for amount, name in parts)
    raise ValueError(f"{text!r} is not a duration; write it as 92 min, 1:32:05 or PT1H32M")

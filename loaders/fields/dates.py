"""Parsers of dates and times in the forms that people write. They raise ValueError."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from reelrank.loaders.fields.numbers import parse_number

EpochUnit = Literal["s", "ms", "us", "ns"]
MS_PER_EPOCH_UNIT: dict[EpochUnit, float] = {"s": 1e3, "ms": 1, "us": 1e-3, "ns": 1e-6}
MAX_EPOCH_MS = 253_402_300_799_000
"""The last second of the year 9999, the largest that Python's datetime can represent."""
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
MAX_CHARACTERS = 100
"""The patterns below need quadratic time for long texts, which are no dates."""
WEEKDAY_PATTERN = re.compile(r"^(mon|tues?|wed(nes)?|thu(rs?)?|fri|sat(ur)?|sun)(day)?\b", re.IGNORECASE)
ORDINAL_PATTERN = re.compile(r"\b(\d{1,2})(st|nd|rd|th)\b", re.IGNORECASE)
YEAR_FIRST_PATTERN = re.compile(r"^(\d{4})[./-](\d{1,2})[./-](\d{1,2})(?!\d)")
YEAR_SPAN_PATTERN = re.compile(r"(\d{4})\s*[-\N{EN DASH}]\s*(?:\d{4})?")
"""The first and last year of a series."""
DAY_MONTH_PATTERN = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
CLOCK_PATTERN = re.compile(r",?[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AP]M)?$", re.IGNORECASE)
UTC_PATTERN = re.compile(r"\s*\b(UTC|GMT)$")


@dataclass(frozen=True, slots=True)
class DateStyle:
    """How the dates of a column are written, which a single value does not tell.

    epoch_unit: unit of numbers since 1970. day_first: 12.06.1998 is in June (True) or December (False);
    None: it is not known. date_format: as for Python's strptime, where the user states it. latest: later
    dates are errors.
    """

    epoch_unit: EpochUnit | None = None
    day_first: bool | None = None
    date_format: str | None = None
    latest: date | None = None

    @property
    def description(self) -> str:
        """Returns what was decided, in words; empty when nothing had to be."""
        units = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
        order = {True: "day before month", False: "month before day", None: ""}[self.day_first]
        epoch = f"{units[self.epoch_unit]} since 1970" if self.epoch_unit else ""
        return self.date_format or ", ".join(filter(None, (epoch, order)))


UNDECIDED = DateStyle()


def parse_datetime(value: object, style: DateStyle = UNDECIDED) -> datetime:
    """Parses a date or time; without a time zone it is in UTC.

    Without an epoch unit, a number of four digits is a year, one of eight digits a day such as 19991231,
    one from 1e8 seconds, one from 1e11 milliseconds.
    """
    found = _parse(value, style)
    if style.latest is not None and found.date() > style.latest:
        raise ValueError(
            f"{value!r} is {found:%Y-%m-%d}, after {style.latest}, the latest date accepted; "
            "move it with --latest-date"
        )
    return found


def parse_epoch_ms(value: object, style: DateStyle = UNDECIDED) -> int:
    """Parses a time as milliseconds since 1970.

    A time before 1970 is an error: events of viewers cannot be that old.
    """
    ms = round(parse_datetime(value, style).timestamp() * 1000)
    if not 0 <= ms <= MAX_EPOCH_MS:
        raise ValueError(f"{value!r} is not a time between 1970 and 9999")
    return ms


def check_date_format(date_format: str) -> str:
    """Returns a format of strptime. Raises ValueError when it is not one, or has no year."""
    written = datetime(1998, 6, 12, tzinfo=UTC).strftime(date_format)
    parsed = datetime.strptime(written, date_format)  # only its year counts
    if parsed.year != 1998:
        raise ValueError("it has no year")
    return date_format


def _parse(value: object, style: DateStyle) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if style.date_format is not None:
        return _parse_with_format(str(value).strip(), style.date_format)
    number = parse_number(value)
    if number is None:
        return _parse_text(str(value).strip(), style.day_first)
    if style.epoch_unit is not None:
        return _from_epoch_ms(number * MS_PER_EPOCH_UNIT[style.epoch_unit], value)
    return _parse_number_by_size(number, value)


def _parse_with_format(text: str, date_format: str) -> datetime:
    try:
        return _parse(datetime.strptime(text, date_format), UNDECIDED)  # `_parse` sets UTC
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date in the form {date_format}") from error


def _parse_number_by_size(number: float, value: object) -> datetime:
    """Parses a number without a unit by its size, as `parse_datetime` says."""
    if 1000 <= number <= 9999 and number == int(number):
        return datetime(int(number), 1, 1, tzinfo=UTC)
    if 1e7 <= number < 1e8:
        return _parse_text(str(int(number)), None)
    if 1e8 <= number < 1e11:
        return _from_epoch_ms(number * 1000, value)
    if 1e11 <= number <= MAX_EPOCH_MS:
        return _from_epoch_ms(number, value)
    raise ValueError(f"{value!r} is not a year, and not seconds or milliseconds since 1970")


def _from_epoch_ms(ms: float, value: object) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    except OverflowError as error:
        raise ValueError(f"{value!r} is not a time before the year 10000") from error


def _parse_text(text: str, day_first: bool | None) -> datetime:
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{text[:MAX_CHARACTERS]!r}... is not a date; it is too long")
    iso = YEAR_FIRST_PATTERN.sub(lambda m: f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}", text)
    try:
        return _parse(datetime.fromisoformat(UTC_PATTERN.sub("Z", iso)), UNDECIDED)
    except (ValueError, OverflowError):
        pass
    if span := YEAR_SPAN_PATTERN.fullmatch(text):
        return datetime(int(span[1]), 1, 1, tzinfo=UTC)
    clock = CLOCK_PATTERN.search(text)
    day = text[: clock.start()] if clock else text
    if written := DAY_MONTH_PATTERN.fullmatch(day):
        return _add_clock(_parse_day_month(written, day_first), clock)
    if (found := _parse_written_date(day)) is not None:
        return _add_clock(found, clock)
    raise ValueError(f"{text!r} is not a date; write it as 1999-12-31, or state its form with --date-format")


def _parse_day_month(written: re.Match[str], day_first: bool | None) -> datetime:
    first, second, year = int(written[1]), int(written[3]), int(written[4])
    if day_first is None:
        if first <= 12 and second <= 12 and first != second:
            raise ValueError(
                f"{written[0]!r} is a day and a month in an order that no date of the column tells; "
                "add --date-format %d/%m/%Y or %m/%d/%Y, as the dates are written"
            )
        day_first = first > 12
    day, month = (first, second) if day_first else (second, first)
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError as error:
        order = "day before month" if day_first else "month before day"
        raise ValueError(f"{written[0]!r} is not a date with the {order}, as others of the column") from error


def _parse_written_date(text: str) -> datetime | None:
    """Parses a date with the month in English, None for other text."""
    first = text.split(" to ", maxsplit=1)[0]  # the first day of a series
    simple = _simplify_written_date(first)
    for date_format in DATE_FORMATS:
        try:
            return datetime.strptime(simple, date_format).replace(tzinfo=UTC)
        except ValueError:
            continue
    if re.search(r"\d:\d\d", text) and re.search(r"\b\d{4}\b", text):
        try:
            return _parse(parsedate_to_datetime(text), UNDECIDED)  # RFC 2822
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return None


def _simplify_written_date(text: str) -> str:
    """Returns "Fri, 12th Jun-1998" as "12 Jun 1998"; text without letters is unchanged."""
    if not any(character.isalpha() for character in text):
        return text
    without_weekday = WEEKDAY_PATTERN.sub("", text)
    plain = re.sub(r"[\s,.\-/]+", " ", ORDINAL_PATTERN.sub(r"\1", without_weekday)).strip()
    return re.sub(r"\bsept\b", "Sep", plain, flags=re.IGNORECASE)


def _add_clock(day: datetime, clock: re.Match[str] | None) -> datetime:
    if clock is None:
        return day
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    half = (clock[4] or "").upper()
    if half:
        hour = hour % 12 + 12 * (half == "PM")
    return datetime.combine(day, time(hour, minute, second), UTC)

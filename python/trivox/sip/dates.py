"""Dates with times of day, as XML writes them (XML Schema part 2 §3.2.7), as seconds."""

from __future__ import annotations

import math
import re
from typing import Final

from trivox.errors import ParseError

_DATE: Final = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"T(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d(?:\.\d{1,9})?)"
    r"(?:(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d)|Z)?",
    re.ASCII,
)
_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EPOCH: Final = 719_163
"""Days from the first of January of the year 1 to that of 1970, and one."""
_DAY: Final = 86_400


def seconds_of_untrusted(text: str) -> float:
    """Return the seconds since 1970, in UTC; a date without a zone is taken to be in UTC.

    Raises:
        ParseError: It is no date, or there is no such day.
    """
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise ParseError("a date is written 2030-01-31T12:00:00Z")
    year, month, day = (int(found[part]) for part in ("year", "month", "day"))
    hour, minute, second = int(found["hour"]), int(found["minute"]), float(found["second"])
    is_day = 1 <= month <= 12 and 1 <= day <= _length(year, month)
    if not is_day or hour > 23 or minute > 59 or second > 60:
        raise ParseError(f"there is no {text.strip()}")
    east = 0
    if found["sign"]:
        east = int(f"{found['sign']}1") * (int(found["hours"]) * 3600 + int(found["minutes"]) * 60)
    return _days(year, month, day) * _DAY + hour * 3600 + minute * 60 + second - east


def written(seconds: float) -> str:
    """Return a date in UTC, to the second."""
    days, rest = divmod(math.floor(seconds), _DAY)
    year = 1970 + days // 366
    while _days(year + 1, 1, 1) <= days:
        year += 1
    while _days(year, 1, 1) > days:
        year -= 1
    month = max(month for month in range(1, 13) if _days(year, month, 1) <= days)
    day = days - _days(year, month, 1) + 1
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{clock}Z"


def _length(year: int, month: int) -> int:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if is_leap and month == 2 else _LENGTHS[month - 1]


def _days(year: int, month: int, day: int) -> int:
    """Return the days since 1970."""
    before = year - 1
    whole = before * 365 + before // 4 - before // 100 + before // 400
    return whole + sum(_length(year, one) for one in range(1, month)) + day - _EPOCH

"""Numbers, paths and classes that a program gives: refused at once, by name, on every layer."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from numbers import Integral, Real
from typing import TypeVar

from trivox.errors.arguments import InvalidArgumentsError

T = TypeVar("T")


def checked_kind(value: object, kind: type[T], what: str) -> T:
    """Return the value, which is of that class. Raises InvalidArgumentsError."""
    if not isinstance(value, kind):
        raise InvalidArgumentsError(
            f"{what} must be of the class {kind.__name__}, not {type(value).__name__}"
        )
    return value


def checked_number(value: float, what: str, *, least: float = 0.0, unit: str = "") -> float:
    """Return the number, which is finite and not below `least`, and above it if that is 0.

    Raises:
        InvalidArgumentsError: It is not.
    """
    if _is_number(value) and math.isfinite(value) and value >= least and value != 0:
        return value
    limit = f"at least {least:g}" if least else "above 0"
    raise InvalidArgumentsError(f"{what} is {value!r}; it must be {limit}{unit}")


def checked_within(
    value: float, what: str, least: float, most: float = math.inf, *, unit: str = ""
) -> float:
    """Return the number, which is neither below `least` nor above `most`.

    Raises:
        InvalidArgumentsError: It is no number, or another one.
    """
    if _is_number(value) and least <= value <= most:
        return value
    raise InvalidArgumentsError(f"{what} is {value!r}; it must be {_span(least, most)}{unit}")


def checked_whole(
    value: int, what: str, least: int, most: float = math.inf, *, unit: str = ""
) -> int:
    """Return the whole number, which is neither below `least` nor above `most`.

    Raises:
        InvalidArgumentsError: It is no whole number, or another one.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= value <= most:
        return int(value)
    raise InvalidArgumentsError(
        f"{what} is {value!r}; it must be a whole number, {_span(least, most)}{unit}"
    )


def checked_rate(rate: int) -> int:
    """Return samples a second of audio. Raises InvalidArgumentsError."""
    return checked_whole(rate, "rate", 8000, 48_000, unit=" samples a second")


def checked_duration(value: float) -> float:
    """Return seconds that something plays, infinity included. Raises InvalidArgumentsError."""
    if _is_number(value) and value > 0:
        return value
    raise InvalidArgumentsError(f"duration is {value!r}; it must be above 0 seconds")


def checked_iterable(values: Iterable[T], what: str) -> Iterable[T]:
    """Return what can be iterated over. Raises InvalidArgumentsError."""
    if not isinstance(values, Iterable):
        raise InvalidArgumentsError(f"{what} is {values!r}; give a list or a tuple")
    return values


def checked_path(path: str | os.PathLike[str], use: str) -> str:
    """Return a path as text, which the engine takes in UTF-8 only.

    Args:
        path: What was given.
        use: What it is for, as the error says it: "record to".

    Raises:
        InvalidArgumentsError: It is no path, or none in UTF-8.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise InvalidArgumentsError(f"{path!r} is no path to {use}: give a str or a Path")
    return checked_unicode(text, "path")


def checked_unicode(text: str, what: str) -> str:
    """Return a text that can be written in UTF-8. Raises InvalidArgumentsError."""
    if not isinstance(text, str):
        raise InvalidArgumentsError(f"the {what} is a str, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentsError(f"the {what} {text!r} cannot be written in UTF-8") from None
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _span(least: float, most: float) -> str:
    return f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"

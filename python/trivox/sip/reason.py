"""Why a request was sent: the Reason header (RFC 3326)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_CAUSES: Final = 16
"""Read of one message."""
_LONGEST: Final = 4096
"""Characters read of one line."""
_TOKEN: Final = r"[A-Za-z0-9.!%*_+`'~-]+"
_PARAMETER: Final = rf";\s*({_TOKEN})(?:\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]+))?\s*"
_CAUSE: Final = re.compile(rf"\s*({_TOKEN})\s*((?:{_PARAMETER})*)(?:,|$)")
_PARAMETERS: Final = re.compile(_PARAMETER)
_QUOTED: Final = re.compile(r"\\(.)")


@final
@dataclass(frozen=True, slots=True)
class Cause:
    """One reason of those a far end gave.

    Attributes:
        protocol: Whose causes these are: "SIP" (status codes), "Q.850" (ISDN), or another.
        cause: Its number; 0 when there was none.
        text: In words; empty when there were none.
    """

    protocol: str
    cause: int = 0
    text: str = ""


def read_causes_untrusted(lines: Iterable[str]) -> tuple[Cause, ...]:
    """Return the causes of Reason headers in order; what is wrong ends its line. Never raises."""
    causes: list[Cause] = []
    for whole in lines:
        line, position = whole[:_LONGEST], 0
        while position < len(line) and len(causes) < _MOST_CAUSES:
            found = _CAUSE.match(line, position)
            if found is None:
                break
            position = found.end()
            causes.append(_cause(found[1], found[2]))
    return tuple(causes)


def _cause(protocol: str, parameters: str) -> Cause:
    values = {name.lower(): value for name, value in _PARAMETERS.findall(parameters)}
    number = values.get("cause", "")
    text = values.get("text", "")
    if text.startswith('"'):
        text = _QUOTED.sub(r"\1", text[1:-1])
    is_number = number.isascii() and number.isdigit() and len(number) < 10
    return Cause(protocol, int(number) if is_number else 0, text)

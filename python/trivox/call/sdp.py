"""The one thing signalling wants to know from a session description."""

from __future__ import annotations

import re
from typing import Final

_HELD: Final = (b"a=sendonly", b"a=inactive")
_MARKS: Final = re.compile(b"a=sendonly|a=inactive|0\\.0\\.0\\.0")


def is_holding(description: bytes) -> bool:
    """Tell whether the far end has put us on hold (RFC 3264 §8.4; c=0.0.0.0 as of old)."""
    if _MARKS.search(description) is None:
        return False
    lines = [line.strip() for line in description.splitlines()]
    if any(line in _HELD for line in lines):
        return True
    return b"c=IN IP4 0.0.0.0" in lines and not any(
        line.startswith((b"a=candidate", b"a=ice-ufrag")) for line in lines
    )

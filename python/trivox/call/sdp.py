"""The two things signalling wants to know from a session description."""

from __future__ import annotations

import re
from typing import Final

from trivox.media.native_engine import detect_hold, detect_video

_HOLD_MARKS: Final = re.compile(rb"a=sendonly|a=inactive|0\.0\.0\.0|IP6 ::|b=")


def is_holding(description: bytes) -> bool:
    """Tell whether the far end has put us on hold, in any dialect.

    RFC 3264 §8.4 (sendonly, inactive), RFC 2543 (c=0.0.0.0), or a bandwidth of 0.
    """
    if _HOLD_MARKS.search(description) is None:
        return False
    return detect_hold(description.decode(errors="replace"))


def is_offering_video(offer: bytes, remote: str) -> bool:
    """Tell whether an offer brings video; one that only repeats `remote` brings nothing."""
    if b"m=video" not in offer:
        return False
    text = offer.decode(errors="replace")
    return detect_video(text) and _origin(text) != _origin(remote)


def _origin(description: str) -> str:
    """Return the o= line: unchanged, it says that the rest is (RFC 3264 §8)."""
    return next((line for line in description.splitlines() if line.startswith("o=")), "")

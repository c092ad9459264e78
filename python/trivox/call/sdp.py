"""The two things signalling wants to know from a session description."""

from __future__ import annotations

from typing import Final

from trivox.media.native_engine import detect_hold, detect_video

_HOLD_MARKS: Final = (b"a=sendonly", b"a=inactive", b"0.0.0.0", b"IP6 ::", b"b=")


def is_holding(description: bytes) -> bool:
    """Tell whether the far end has put us on hold, in any dialect.

    RFC 3264 §8.4 (sendonly, inactive), RFC 2543 (c=0.0.0.0), or a bandwidth of 0.
    """
    for mark in _HOLD_MARKS:
        if description.find(mark) >= 0:  # `in` tries an index first, and raises within
            return detect_hold(description.decode(errors="replace"))
    return False


def is_offering_video(offer: bytes, remote: str, local: str = "") -> bool:
    """Tell whether an offer brings video; what goes on, or only paused on hold, is nothing new."""
    if b"m=video" not in offer:
        return False
    text = offer.decode(errors="replace")
    return _origin(text) != _origin(remote) and detect_video(text, remote, local)


def _origin(description: str) -> str:
    """Return the o= line: unchanged, it says that the rest is (RFC 3264 §8)."""
    return next((line for line in description.splitlines() if line.startswith("o=")), "")

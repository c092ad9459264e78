"""The few things signalling wants to know from a session description."""

from __future__ import annotations

import re
from typing import Final

from trivox.media.native_engine import detect_hold, detect_video

_OF_FRAGMENTS: Final = ("a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates")
_DATA: Final = re.compile(r"^m=application (\d+) .*?(?=^m=|\Z)", re.MULTILINE | re.DOTALL)
_TRICKLES: Final = re.compile(rb"^a=ice-options:[^\r\n]*\btrickle\b", re.MULTILINE)
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


def is_trickling(description: bytes) -> bool:
    """Tell whether who wrote it takes candidates later (RFC 8838 §3)."""
    return bool(_TRICKLES.search(description))


def fragment_of(description: str) -> str:
    """Return what a description of ours says of candidates, as an INFO repeats it (RFC 8840 §9).

    Each line that has some is a pseudo line there, known by its mid, with the credentials below it
    that it has in the description (§4.4). A line that only repeats those of its bundle has none.
    """
    first, *sections = re.split(r"^(?=m=)", description, flags=re.MULTILINE)
    lines = _told(first)
    for section in sections:
        told = _told(section)
        if any(line not in lines for line in told):
            kind = section.removeprefix("m=").split(maxsplit=1)[0]
            mids = (line for line in section.splitlines() if line.startswith("a=mid:"))
            lines += [f"m={kind} 9 RTP/AVP 0", *mids, *told]
    return "".join(f"{line}\r\n" for line in lines)


def is_refusing_data(local: str, remote: str) -> bool:
    """Tell whether our answer refuses a line for data that the far end has offered."""
    own, theirs = _DATA.search(local), _DATA.search(remote)
    if own is None or theirs is None:
        return False
    return _is_refused(own) and not _is_refused(theirs)


def _is_refused(line: re.Match[str]) -> bool:
    """Whether a line has no port, and not because it is in the bundle alone (RFC 9143 §6)."""
    return line[1] == "0" and "a=bundle-only" not in line[0]


def _told(section: str) -> list[str]:
    return [line for line in section.splitlines() if line.startswith(_OF_FRAGMENTS)]


def _origin(description: str) -> str:
    """Return the o= line: unchanged, it says that the rest is (RFC 3264 §8)."""
    return next((line for line in description.splitlines() if line.startswith("o=")), "")

"""Which transport a call's media goes by: what is offered, and what is answered to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from trivox.media.native_engine import detect_transport

MediaKind = Literal["auto", "webrtc", "dtls", "srtp", "optional-srtp", "rtp"]
"""How media travels.

auto: what the far end offers; offers of ours are of the kinds in `offered_media`. webrtc: ICE and
DTLS-SRTP. dtls: DTLS-SRTP without ICE. srtp: SRTP with keys of the descriptions (RFC 4568).
optional-srtp: the same, where the far end may do without. rtp: bare RTP.
"""

MEDIA_KINDS: Final = ("auto", "webrtc", "dtls", "srtp", "optional-srtp", "rtp")
OFFERED_KINDS: Final = MEDIA_KINDS[1:]
_BARE: Final = "plain"
_KEYED: Final = ("sdes", "dtls")
_ANY: Final = (_BARE, *_KEYED)


@dataclass(frozen=True, slots=True)
class TransportChoice:
    """What a session is opened with: a transport, and others that the far end may change to."""

    transport: str
    accepts: tuple[str, ...] = ()


_OFFERED: Final = {
    "webrtc": TransportChoice("ice"),
    "dtls": TransportChoice("dtls"),
    "srtp": TransportChoice("sdes", ("dtls",)),
    "optional-srtp": TransportChoice("sdes", ("dtls", _BARE)),
    "rtp": TransportChoice(_BARE),
}


_OPEN: Final = {
    name: TransportChoice(name, tuple(other for other in _ANY if other != name)) for name in _ANY
}
"""Answers that may later change to what else the far end offers."""


def choice_for_offer(kind: str, *, is_open: bool) -> TransportChoice:
    """Return what an offer of that kind is made with; not for "auto".

    Args:
        kind: Of `OFFERED_KINDS`.
        is_open: Whether the far end may later change bare RTP to SRTP.
    """
    return TransportChoice(_BARE, _KEYED) if is_open and kind == "rtp" else _OFFERED[kind]


def choice_for_answer(kind: str, offer: bytes) -> TransportChoice:
    """Return what an offer is answered with; what does not fit is refused by the engine."""
    found = detect_transport(offer.decode(errors="replace"))
    if kind == "auto":
        return _OPEN.get(found) or TransportChoice(found)
    wanted = _OFFERED[kind]
    if found in wanted.accepts:
        others = tuple(name for name in (wanted.transport, *wanted.accepts) if name != found)
        return TransportChoice(found, others)
    return wanted

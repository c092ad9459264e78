"""The kinds of media that a call offers, and the transports they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trivox.call.settings import DEFAULT_OFFERED_MEDIA
from trivox.call.transports import TransportChoice, choice_for_offer

if TYPE_CHECKING:
    from trivox.call._core import CallCore


def offered_kinds(call: CallCore) -> tuple[str, ...]:
    """Return the kinds of media our offers have, the first one first."""
    if call.settings.media != "auto":
        return (call.settings.media,)
    if call.settings.offered_media is not None:
        return call.settings.offered_media
    of_account = call.account.offered_media if call.account is not None else None
    return of_account or DEFAULT_OFFERED_MEDIA


def choice_of(call: CallCore, kind: str) -> TransportChoice:
    """Return the transport that offers this kind of media."""
    return choice_for_offer(kind, is_open=call.settings.media == "auto")


def may_be_offered_ice(call: CallCore) -> bool:
    """Whether ICE may be asked of us by a far end that makes the offer of our call."""
    if call.settings.media == "auto":
        return bool(call._host.ice_servers)
    return call.settings.media == "webrtc"

"""Offer and answer: what a session description in a message means, and who must wait (RFC 3264, 6337).

The body itself is the media engine's; here only its place in the exchange is known.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, final

from trivox.sip.table import Go, Ignored, Table


class OfferState(StrEnum):
    """Where the exchange of one dialog stands."""

    STABLE = "stable"
    LOCAL_OFFER = "local_offer"
    """Ours is out and wants an answer."""
    REMOTE_OFFER = "remote_offer"
    """Theirs is here and wants our answer."""
    OFFER_AWAITED = "offer_awaited"
    """Our INVITE had none: their 2xx brings it."""
    OFFER_OWED = "offer_owed"
    """Their INVITE had none: our 2xx brings it."""


class OfferEvent(StrEnum):
    """A message that may carry a description, with it (`_sdp`) or without."""

    SENT_INVITE_SDP = "sent_invite_sdp"
    SENT_INVITE = "sent_invite"
    RECEIVED_INVITE_SDP = "received_invite_sdp"
    RECEIVED_INVITE = "received_invite"
    SENT_2XX_SDP = "sent_2xx_sdp"
    SENT_2XX = "sent_2xx"
    RECEIVED_2XX_SDP = "received_2xx_sdp"
    RECEIVED_2XX = "received_2xx"
    SENT_ACK = "sent_ack"
    RECEIVED_ACK = "received_ack"
    INVITE_FAILED = "invite_failed"
    """A final response of 300 or more, either way: the offer never was (RFC 3261 §14.1)."""


class OfferMeaning(StrEnum):
    """What the message is in the exchange."""

    OFFER = "offer"
    ANSWER = "answer"
    NOTHING = "nothing"
    GLARE = "glare"
    """Our own offer is on its way: answer 491 (RFC 3261 §14.2)."""
    TOO_SOON = "too_soon"
    """Their last INVITE is not answered yet: 500 with Retry-After (RFC 3261 §14.2)."""


S, E, M = OfferState, OfferEvent, OfferMeaning


def _busy(
    state: OfferState, meaning: OfferMeaning
) -> dict[OfferEvent, Go[OfferState, OfferMeaning]]:
    refusal = Go(state, (meaning,))
    return {E.RECEIVED_INVITE_SDP: refusal, E.RECEIVED_INVITE: refusal}


# RFC 6337 table 1, patterns 1 and 2; RFC 3261 §14 for what overlaps.
OFFER_TABLE: Final[Table[OfferState, OfferEvent, OfferMeaning]] = {
    S.STABLE: {
        E.SENT_INVITE_SDP: Go(S.LOCAL_OFFER, (M.OFFER,)),
        E.SENT_INVITE: Go(S.OFFER_AWAITED, (M.NOTHING,)),
        E.RECEIVED_INVITE_SDP: Go(S.REMOTE_OFFER, (M.OFFER,)),
        E.RECEIVED_INVITE: Go(S.OFFER_OWED, (M.NOTHING,)),
    },
    S.LOCAL_OFFER: _busy(S.LOCAL_OFFER, M.GLARE)
    | {
        E.RECEIVED_2XX_SDP: Go(S.STABLE, (M.ANSWER,)),
        E.RECEIVED_2XX: Go(S.STABLE, (M.NOTHING,)),
        E.RECEIVED_ACK: Go(S.STABLE, (M.ANSWER,)),
        E.INVITE_FAILED: Go(S.STABLE, (M.NOTHING,)),
    },
    S.REMOTE_OFFER: _busy(S.REMOTE_OFFER, M.TOO_SOON)
    | {
        E.SENT_2XX_SDP: Go(S.STABLE, (M.ANSWER,)),
        E.SENT_2XX: Go(S.STABLE, (M.NOTHING,)),
        E.SENT_ACK: Go(S.STABLE, (M.ANSWER,)),
        E.INVITE_FAILED: Go(S.STABLE, (M.NOTHING,)),
    },
    S.OFFER_AWAITED: _busy(S.OFFER_AWAITED, M.GLARE)
    | {
        E.RECEIVED_2XX_SDP: Go(S.REMOTE_OFFER, (M.OFFER,)),
        E.RECEIVED_2XX: Go(S.STABLE, (M.NOTHING,)),
        E.INVITE_FAILED: Go(S.STABLE, (M.NOTHING,)),
    },
    S.OFFER_OWED: _busy(S.OFFER_OWED, M.TOO_SOON)
    | {
        E.SENT_2XX_SDP: Go(S.LOCAL_OFFER, (M.OFFER,)),
        E.SENT_2XX: Go(S.STABLE, (M.NOTHING,)),
        E.INVITE_FAILED: Go(S.STABLE, (M.NOTHING,)),
    },
}

_ALL: Final = frozenset(OfferState)

OFFER_IGNORED: Final[Ignored[OfferEvent, OfferState]] = {
    "RFC 3261 §14.1: no new INVITE while another is in progress, so we send none": {
        E.SENT_INVITE_SDP: _ALL - {S.STABLE},
        E.SENT_INVITE: _ALL - {S.STABLE},
    },
    "RFC 6337 §2.1: a description in a message that can hold neither offer nor answer is ignored": {
        E.SENT_2XX_SDP: _ALL - {S.REMOTE_OFFER, S.OFFER_OWED},
        E.SENT_2XX: _ALL - {S.REMOTE_OFFER, S.OFFER_OWED},
        E.RECEIVED_2XX_SDP: _ALL - {S.LOCAL_OFFER, S.OFFER_AWAITED},
        E.RECEIVED_2XX: _ALL - {S.LOCAL_OFFER, S.OFFER_AWAITED},
        E.SENT_ACK: _ALL - {S.REMOTE_OFFER},
        E.RECEIVED_ACK: _ALL - {S.LOCAL_OFFER},
    },
    "RFC 3261 §14.1: without an offer outstanding a failure changes no parameters": {
        E.INVITE_FAILED: frozenset({S.STABLE}),
    },
}


@final
class OfferAnswer:
    """Follow the exchange of one dialog; step it with every message that could carry a description."""

    __slots__ = ("state",)

    def __init__(self, state: OfferState = OfferState.STABLE) -> None:
        self.state = state
        """Where the exchange stands."""

    def step(self, event: OfferEvent) -> OfferMeaning:
        """Take a message and return what it means; NOTHING for one that cannot take part."""
        go = OFFER_TABLE[self.state].get(event)
        if go is None:
            return OfferMeaning.NOTHING
        self.state = go.state
        return go.actions[0]

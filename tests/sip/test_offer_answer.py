"""The offer/answer table: every pair is a row or has its reason, and the patterns of RFC 6337."""

from __future__ import annotations

import pytest

from trivox.sip.offer_answer import (
    OFFER_IGNORED,
    OFFER_TABLE,
    OfferAnswer,
    OfferEvent,
    OfferMeaning,
    OfferState,
)
from trivox.sip.table import ignored_because

E, M, S = OfferEvent, OfferMeaning, OfferState


@pytest.mark.parametrize("state", OfferState)
@pytest.mark.parametrize("event", OfferEvent)
def test_every_pair_is_in_the_table_or_ignored_for_a_reason(
    state: OfferState, event: OfferEvent
) -> None:
    is_row = event in OFFER_TABLE[state]

    assert is_row != (ignored_because(OFFER_IGNORED, state, event) is not None)


@pytest.mark.parametrize(
    ("events", "meanings"),
    [
        ((E.SENT_INVITE_SDP, E.RECEIVED_2XX_SDP), (M.OFFER, M.ANSWER)),
        ((E.RECEIVED_INVITE_SDP, E.SENT_2XX_SDP), (M.OFFER, M.ANSWER)),
        ((E.SENT_INVITE, E.RECEIVED_2XX_SDP, E.SENT_ACK), (M.NOTHING, M.OFFER, M.ANSWER)),
        ((E.RECEIVED_INVITE, E.SENT_2XX_SDP, E.RECEIVED_ACK), (M.NOTHING, M.OFFER, M.ANSWER)),
        ((E.SENT_INVITE_SDP, E.INVITE_FAILED), (M.OFFER, M.NOTHING)),
        ((E.RECEIVED_INVITE_SDP, E.INVITE_FAILED), (M.OFFER, M.NOTHING)),
    ],
)
def test_patterns_of_rfc_6337_end_stable(
    events: tuple[OfferEvent, ...], meanings: tuple[OfferMeaning, ...]
) -> None:
    exchange = OfferAnswer()

    assert tuple(exchange.step(event) for event in events) == meanings
    assert exchange.state is S.STABLE


@pytest.mark.parametrize("ours", [E.SENT_INVITE_SDP, E.SENT_INVITE])
@pytest.mark.parametrize("theirs", [E.RECEIVED_INVITE_SDP, E.RECEIVED_INVITE])
def test_invites_that_cross_are_glare(ours: OfferEvent, theirs: OfferEvent) -> None:
    exchange = OfferAnswer()
    exchange.step(ours)

    assert exchange.step(theirs) is M.GLARE


@pytest.mark.parametrize("first", [E.RECEIVED_INVITE_SDP, E.RECEIVED_INVITE])
def test_second_invite_before_the_first_is_answered_is_too_soon(first: OfferEvent) -> None:
    exchange = OfferAnswer()
    exchange.step(first)

    assert exchange.step(E.RECEIVED_INVITE) is M.TOO_SOON


def test_description_that_has_no_place_means_nothing() -> None:
    exchange = OfferAnswer()

    assert exchange.step(E.RECEIVED_2XX_SDP) is M.NOTHING
    assert exchange.state is S.STABLE

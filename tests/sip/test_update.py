"""UPDATE from the far end (RFC 3311 §5.2), and extensions it requires (RFC 3261 §8.2.2.3)."""

from __future__ import annotations

import pytest

from trivox.sip import events
from trivox.sip.offer_answer import OfferState
from trivox.sip.outputs import SendResponse


def statuses(outputs) -> list[object]:
    return [
        output.status if isinstance(output, SendResponse) else type(output).__name__
        for output in outputs
    ]


def test_update_with_an_offer_is_answered_with_sdp_and_contact(answered, far_end) -> None:
    request = far_end.request("UPDATE", cseq=2, body=b"offer", contact="<sip:bob@192.0.2.77>")

    [told] = answered.hears(far_end.asks(50, request))
    ok = answered.session.respond(50, 200, "OK", body=b"answer")

    assert told == events.UpdateReceived(50, request, b"offer")
    assert far_end.header(ok, "Contact") == "<sip:alice@192.0.2.1>"
    assert answered.session.offer_state is OfferState.STABLE
    # It moves the target, as a re-INVITE does (RFC 3311 §5.2).
    assert answered.session.request("INFO").uri == "sip:bob@192.0.2.77"


@pytest.mark.parametrize("status", [488, 504])
def test_refused_update_changes_nothing(answered, far_end, status) -> None:
    answered.hears(far_end.asks(50, far_end.request("UPDATE", cseq=2, body=b"offer")))

    refusal = answered.session.respond(50, status, "No")

    assert far_end.header(refusal, "Contact") is None
    assert answered.session.offer_state is OfferState.STABLE


def test_update_without_offer_is_told_and_answered_without_sdp(answered, far_end) -> None:
    [told] = answered.hears(far_end.asks(50, far_end.request("UPDATE", cseq=2)))

    ok = answered.session.respond(50, 200, "OK")

    assert (told.body, ok.body) == (b"", b"")


def test_update_that_crosses_our_offer_gets_491(answered, far_end) -> None:
    """RFC 3311 §5.2."""
    answered.carry(answered.session.modify(b"hold"))

    outputs = answered.hears(far_end.asks(50, far_end.request("UPDATE", cseq=2, body=b"offer")))

    assert statuses(outputs) == [491]


def test_update_with_offer_before_ours_is_answered_has_to_come_later(callee, far_end) -> None:
    """RFC 3311 §5.2: their INVITE's offer is not answered yet."""
    [refusal] = callee.hears(far_end.asks(50, far_end.request("UPDATE", cseq=2, body=b"offer")))

    assert refusal.status == 500
    assert 0 <= int(far_end.header(refusal, "Retry-After")) <= 10


def test_second_update_before_the_first_is_answered_has_to_come_later(answered, far_end) -> None:
    answered.hears(far_end.asks(50, far_end.request("UPDATE", cseq=2)))

    [refusal] = answered.hears(far_end.asks(51, far_end.request("UPDATE", cseq=3)))

    assert refusal.status == 500
    assert far_end.header(refusal, "Retry-After") is not None


def test_update_without_offer_passes_in_an_early_dialog(callee, far_end) -> None:
    [told] = callee.hears(far_end.asks(50, far_end.request("UPDATE", cseq=2)))

    assert isinstance(told, events.UpdateReceived)


def test_update_nobody_answered_is_answered_at_the_end(answered, far_end) -> None:
    answered.hears(far_end.asks(50, far_end.request("UPDATE", cseq=2, body=b"offer")))

    outputs = answered.hears(far_end.asks(51, far_end.request("BYE", cseq=3)))

    assert statuses(outputs) == [200, "RemoteEnded", 481, "Forget"]


@pytest.mark.parametrize("method", ["UPDATE", "INFO", "INVITE"])
def test_request_that_requires_what_we_do_not_know_gets_420(answered, far_end, method) -> None:
    request = far_end.request(method, cseq=2, more=(("Require", "timer, nothing, x"),))

    [refusal] = answered.hears(far_end.asks(50, request))

    assert (refusal.status, far_end.header(refusal, "Unsupported")) == (420, "nothing, x")

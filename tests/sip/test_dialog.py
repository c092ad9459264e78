"""Dialogs: both roles, routing, CSeq and target (RFC 3261 §12)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivox.sip.dialog import Dialog
from trivox.sip.outputs import SendRequest

INVITE = SendRequest(
    "INVITE",
    "sip:bob@example.com",
    (
        ("From", "<sip:alice@example.org>;tag=us"),
        ("To", "<sip:bob@example.com>"),
        ("Call-ID", "call-1"),
        ("CSeq", "5 INVITE"),
    ),
)


def records(*uris: str) -> tuple[tuple[str, str], ...]:
    return tuple(("Record-Route", f"<{uri}>") for uri in uris)


def of_caller(far_end, *uris, **more) -> Dialog:
    response = far_end.response(INVITE, 200, more=records(*uris), **more)
    return Dialog.from_response(response, request_uri=INVITE.uri, contact="<sip:alice@192.0.2.1>")


def of_callee(far_end, *uris, **more) -> Dialog:
    request = far_end.request("INVITE", to_tag="", cseq=10, more=records(*uris), **more)
    return Dialog.from_request(request, local_tag="us", contact="<sip:alice@192.0.2.1>")


def test_caller_goes_back_the_record_route_reversed(far_end) -> None:
    dialog = of_caller(far_end, "sip:far;lr", "sip:near;lr")

    bye = dialog.request("BYE")

    assert bye.uri == "sip:bob@192.0.2.2"
    assert bye.route == ("<sip:near;lr>", "<sip:far;lr>")
    assert far_end.headers(bye, "Route") == ["<sip:near;lr>", "<sip:far;lr>"]


def test_callee_keeps_the_record_route_in_order(far_end) -> None:
    dialog = of_callee(far_end, "sip:near;lr", "sip:far;lr")

    assert dialog.request("BYE").route == ("<sip:near;lr>", "<sip:far;lr>")


def test_caller_request_names_both_ends_and_counts_on(far_end) -> None:
    dialog = of_caller(far_end)

    info = dialog.request("INFO", headers=(("X-A", "1"),), body=b"x", content_type="text/plain")

    assert info.headers == (
        ("Max-Forwards", "70"),
        ("From", "<sip:alice@example.org>;tag=us"),
        ("To", "<sip:bob@example.com>;tag=them"),
        ("Call-ID", "call-1"),
        ("CSeq", "6 INFO"),
        ("X-A", "1"),
        ("Content-Type", "text/plain"),
    )
    assert dialog.local_cseq == 6


def test_callee_request_swaps_the_ends(far_end) -> None:
    bye = of_callee(far_end).request("BYE")

    assert far_end.header(bye, "From") == "<sip:alice@example.org>;tag=us"
    assert far_end.header(bye, "To") == '"Bob" <sip:bob@example.com>;tag=them'
    assert far_end.header(bye, "CSeq") == "1 BYE"


def test_strict_router_gets_the_request_uri_and_the_target_goes_last(far_end) -> None:
    dialog = of_caller(far_end, "sip:far;lr", "sip:near;method=BYE;maddr=192.0.2.9?a=b")

    bye = dialog.request("BYE")

    assert bye.uri == "sip:near;maddr=192.0.2.9"
    assert far_end.headers(bye, "Route") == ["<sip:far;lr>", "<sip:bob@192.0.2.2>"]


@pytest.mark.parametrize("record", ["sip:[bad", "<<>>"])
def test_record_route_nobody_can_read_is_taken_for_a_loose_router(far_end, record) -> None:
    dialog = Dialog(
        call_id="c",
        local=("us", "<sip:a@b>;tag=us"),
        remote=("them", "<sip:c@d>;tag=them"),
        remote_target="sip:c@e",
        route_set=(record,),
        local_cseq=0,
        remote_cseq=-1,
        contact="<sip:a@f>",
    )

    assert dialog.request("BYE").uri == "sip:c@e"


def test_without_contact_the_target_is_the_next_best_address(far_end) -> None:
    assert of_caller(far_end, contact="").remote_target == "sip:bob@example.com"
    assert of_callee(far_end, contact="").remote_target == "sip:bob@example.com"


def test_lower_cseq_is_out_of_order_and_changes_nothing(far_end) -> None:
    dialog = of_callee(far_end)

    late = far_end.request("INVITE", cseq=9, contact="<sip:bob@elsewhere>")

    assert not dialog.receive(late)
    assert dialog.remote_target == "sip:bob@192.0.2.2"
    assert dialog.remote_cseq == 10


def test_reinvite_moves_the_target_and_info_does_not(far_end) -> None:
    dialog = of_callee(far_end)

    assert dialog.receive(far_end.request("INFO", cseq=11, contact="<sip:x@elsewhere>"))
    assert dialog.remote_target == "sip:bob@192.0.2.2"
    assert dialog.receive(far_end.request("INVITE", cseq=12, contact="<sip:bob@moved>"))
    assert dialog.remote_target == "sip:bob@moved"
    assert dialog.receive(far_end.request("INVITE", cseq=13, contact=""))
    assert dialog.remote_target == "sip:bob@moved"


def test_confirming_takes_route_set_and_target_anew(far_end) -> None:
    dialog = of_caller(far_end, "sip:early;lr", contact="<sip:bob@early>")

    dialog.confirm(far_end.response(INVITE, 200, more=records("sip:final;lr")))

    assert dialog.route_set == ("<sip:final;lr>",)
    assert dialog.remote_target == "sip:bob@192.0.2.2"


def test_confirming_without_contact_keeps_the_target(far_end) -> None:
    dialog = of_caller(far_end, contact="<sip:bob@early>")

    dialog.confirm(far_end.response(INVITE, 200, contact=""))

    assert dialog.remote_target == "sip:bob@early"


def test_ack_has_the_cseq_of_its_invite_and_no_contact(far_end) -> None:
    ack = of_caller(far_end).acknowledge(3, 5, body=b"answer", content_type="application/sdp")

    assert (ack.tx, ack.to_tag, ack.body) == (3, "them", b"answer")
    assert far_end.header(ack, "CSeq") == "5 ACK"
    assert far_end.header(ack, "Content-Type") == "application/sdp"
    assert far_end.header(ack, "Contact") is None


def test_target_refresh_request_carries_our_contact(far_end) -> None:
    dialog = of_caller(far_end)

    assert far_end.header(dialog.request("UPDATE"), "Contact") == "<sip:alice@192.0.2.1>"
    assert far_end.header(dialog.request("INFO"), "Contact") is None


def test_invite_that_has_a_to_tag_already_keeps_it(far_end) -> None:
    request = far_end.request("INVITE", to_tag="old")

    dialog = Dialog.from_request(request, local_tag="us", contact="<sip:alice@192.0.2.1>")

    assert dialog.local_tag == "old"


messages = st.lists(
    st.tuples(st.sampled_from(["INVITE", "INFO", "BYE", "UPDATE", "OPTIONS"]), st.integers(0, 9)),
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=messages)
def test_any_sequence_of_requests_keeps_both_numbers_rising(far_end, sequence) -> None:
    dialog = Dialog.from_request(
        far_end.request("INVITE", cseq=3, to_tag=""), local_tag="us", contact="<sip:us@a>"
    )
    highest, sent = 3, []

    for method, number in sequence:
        contact = f"<sip:{method}{number}@b>"
        taken = dialog.receive(far_end.request(method, cseq=number, contact=contact))
        assert taken is (number >= highest)
        highest = max(highest, number)
        is_target = dialog.remote_target == contact[1:-1]
        assert is_target or not taken or method not in ("INVITE", "UPDATE")
        request = dialog.request("INFO")
        assert request.uri == dialog.remote_target
        sent.append(int(dict(request.headers)["CSeq"].split()[0]))

    assert sent == list(range(1, len(sequence) + 1))

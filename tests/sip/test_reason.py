"""The Reason header, and who a dialog says is at the far end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox.sip.reason import Cause, read_causes_untrusted


@pytest.mark.parametrize(
    ("lines", "causes"),
    [
        (["SIP;cause=200"], (Cause("SIP", 200),)),
        (
            ['SIP ;cause=200 ;text="Call completed elsewhere"'],
            (Cause("SIP", 200, "Call completed elsewhere"),),
        ),
        (
            ['Q.850;cause=16;text="Terminated, \\"so\\"", SIP;cause=600'],
            (Cause("Q.850", 16, 'Terminated, "so"'), Cause("SIP", 600)),
        ),
        (["preemption;cause=1", "SIP;Cause=486"], (Cause("preemption", 1), Cause("SIP", 486))),
        (["SIP"], (Cause("SIP"),)),
        (["SIP;x;y=z"], (Cause("SIP"),)),
        (["SIP;text=busy"], (Cause("SIP", 0, "busy"),)),
        (["SIP;cause=١", "SIP;cause=+5", "SIP;cause=1_0"], (Cause("SIP"),) * 3),
        (["SIP;cause=99999999999"], (Cause("SIP"),)),
        ([";cause=1", '"x"', ""], ()),
        (["SIP;cause=1;;", "SIP;cause=2"], (Cause("SIP", 2),)),
        (["a," * 40], (Cause("a"),) * 16),
        (["a" + ";x" * 9000], ()),
    ],
)
def test_causes_are_read_in_order(lines, causes) -> None:
    """RFC 3326 §2."""
    assert read_causes_untrusted(lines) == causes


@given(st.lists(st.text(), max_size=3))
def test_any_text_gives_causes_or_none(lines) -> None:
    assert all(cause.cause >= 0 for cause in read_causes_untrusted(lines))


def test_other_requests_move_the_target_and_name_nobody(answered, far_end) -> None:
    contact = "<sip:bob@192.0.2.77>"
    other = {"from_display": '"Carol" <sip:carol@example.com>', "contact": contact}
    answered.hears(far_end.asks(50, far_end.request("REFER", cseq=2, **other)))

    info = answered.session.request("INFO")

    assert info.uri == "sip:bob@192.0.2.77"
    assert answered.session.dialog.remote_party == '"Bob" <sip:bob@example.com>;tag=them'


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_request_may_name_another_party_from_now_on(answered, far_end, method) -> None:
    """RFC 4916 §4.4.2: their From is our next To."""
    request = far_end.request(method, cseq=2, more=())
    other = far_end.request(method, cseq=3, from_display='"Carol" <sip:carol@example.com>')

    answered.hears(far_end.asks(50, request))
    assert not answered.session.dialog.is_new_party
    answered.session.respond(50, 200, "OK", body=b"ours")
    answered.hears(far_end.acknowledges(50))
    answered.hears(far_end.asks(51, other))

    assert answered.session.dialog.is_new_party
    info = answered.session.request("INFO")
    assert far_end.header(info, "To") == '"Carol" <sip:carol@example.com>;tag=them'

"""One reading of a message: what one reader skips no other may see (RFC 3261 §7.3, §18.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trivox._native import Message, SipCore
from trivox.errors import ParseError

PEER = ("192.0.2.9", 5060)
COMPACT = {
    "Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Length": "l",
    "Content-Type": "c", "Supported": "k", "Event": "o", "Allow-Events": "u", "Refer-To": "r",
    "Referred-By": "b", "Subject": "s", "Content-Encoding": "e", "Session-Expires": "x",
}  # fmt: skip
SINGLE = ("From", "To", "Call-ID", "Content-Length", "Content-Type", "Event", "Refer-To",
          "Session-Expires")  # fmt: skip
SPELLINGS = ("{}:", "{} :", "{}\t:", "{}  \t :")


def _invite(**changed: str) -> bytes:
    values = {
        "Via": "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1",
        "From": "<sip:a@a>;tag=1",
        "To": "<sip:b@b>",
        "Call-ID": "c",
        "CSeq": "1 INVITE",
        "Max-Forwards": "70",
        "Content-Length": "0",
    }
    values.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [f"{name}: {value}" for name, value in values.items() if value]
    return "\r\n".join(["INVITE sip:b@192.0.2.1 SIP/2.0", *lines, "", ""]).encode()


def _core(*, shut: bool = False) -> SipCore:
    core = SipCore(b"smuggling")
    core.open_flow(1, "udp", ("192.0.2.1", 5060))
    core.shut_door(shut)
    return core


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", COMPACT)
def test_every_spelling_of_a_name_is_one_header(name, spelling):
    for written in (name, name.upper(), COMPACT[name], COMPACT[name].upper()):
        data = _invite().replace(
            b"Max-Forwards", spelling.format(written).encode() + b" 1\r\nMax-Forwards"
        )
        message = Message.parse(data) if name != "Content-Length" else None

        assert message is None or "1" in message.headers(name)
        assert message is None or message.headers(COMPACT[name]) == message.headers(name)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", SINGLE)
def test_a_second_spelling_of_what_is_given_once_is_refused(name, spelling):
    first = f"{name}: 0\r\n" if name not in ("From", "To", "Call-ID", "Content-Length") else ""
    hidden = first + spelling.format(COMPACT[name]) + " 0\r\n"
    data = _invite().replace(b"Max-Forwards", hidden.encode() + b"Max-Forwards")

    events = _answered(_core(), data)

    assert events == [400]


def _answered(core: SipCore, data: bytes) -> list[int]:
    """Return the statuses of the answers; a request that was let through is 0."""
    events = core.receive_batch(1, [(data, PEER)], 0.0)
    return [0 for _ in events] + [Message.parse(out).status for _, _, out in core.take_output()]


@pytest.mark.parametrize(
    ("length", "verdict"),
    [("0", 0), ("5", 0), ("4", 0), ("6", 400), ("-1", 400), ("+5", 400), ("1_0", 400), ("5 ", 0),
     ("05", 0), ("0x5", 400), ("5, 5", 400), ("5;5", 400), ("٥", 400), ("5e0", 400), ("9" * 30, 400)],
)  # fmt: skip
def test_a_length_is_digits_and_no_more_than_there_is(length, verdict):
    data = _invite(Content_Length=length) + b"hello"

    assert _answered(_core(), data) == [verdict]


def test_a_message_in_a_body_or_behind_it_is_never_run():
    inner = _invite(Call_ID="inner", Via="SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKinner")
    for data in (
        _invite(Content_Length=str(len(inner))) + inner,
        _invite(Content_Length="0") + inner,
        _invite(Content_Length="") + inner,
    ):
        core = _core()
        events = core.receive_batch(1, [(data, PEER)], 0.0)

        assert [event[5].header("Call-ID") for event in events] == ["c"]


@given(st.data())
def test_a_refusal_from_raw_bytes_is_a_response_to_what_the_parser_reads(data):
    bytes_ = bytearray(_invite(Via="SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1;rport;oc"))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(7, len(bytes_)))
        piece = data.draw(
            st.binary(max_size=4)
            | st.sampled_from([b"\r\n", b"\r\n ", b'"', b"<", b";", b",", b":", b"\r\nt:", b"v :"])
        )
        bytes_[start : start + data.draw(st.integers(0, 4))] = piece
    core = _core(shut=True)

    core.receive_batch(1, [(bytes(bytes_), PEER)], 0.0)

    for _, destination, out in core.take_output():
        answer = Message.parse(out)
        assert destination[0] == PEER[0]
        assert len(out) < len(bytes_) + 256
        if answer.status == 503:
            assert answer.validate() is None or _reads(bytes_) is None
            asked = _reads(bytes_)
            assert asked is None or answer.key()[2:4] == asked.key()[2:4]


def _reads(data: bytes | bytearray) -> Message | None:
    try:
        message = Message.parse(bytes(data))
    except ParseError:
        return None
    return message if message.validate() is None else None

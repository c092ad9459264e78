"""Properties: any bytes give a value or ParseError, and what is written reads back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trivox._native import EVENT_FLOW_BROKEN, Message, NameAddr, SipCore, Uri
from trivox.errors import InvalidHeaderError, ParseError

FOLDER = Path(__file__).parents[1] / "data" / "torture"
SEEDS = sorted(path.read_bytes() for path in FOLDER.glob("rfc*/*.dat"))
PEER = ("192.0.2.2", 5060)
BASE = [
    ("From", "<sip:a@a>;tag=1"),
    ("To", "<sip:b@b>"),
    ("Call-ID", "c"),
    ("CSeq", "1 OPTIONS"),
]


@st.composite
def mutated_messages(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 6))
        data[start:end] = draw(
            st.binary(max_size=6)
            | st.sampled_from([b"\r\n", b"\r\n ", b'"', b"<", b";", b",", b":"])
        )
    return bytes(data)


def _core(transport: str = "udp") -> SipCore:
    core = SipCore(b"properties")
    core.open_flow(1, transport, ("192.0.2.1", 5060))
    return core


def _send(
    headers: list[tuple[str, str]],
    *,
    uri: str = "sip:b@b",
    sent_by: str = "x",
    core: SipCore | None = None,
) -> bytes:
    core = core or _core()
    core.request("OPTIONS", uri, 1, PEER, sent_by, headers, b"body", 1, 0.0)
    ((_, _, data),) = core.take_output()
    return data


@given(st.binary(max_size=300) | mutated_messages())
@example(b"")
@example(b"\r\n")
@example(b"SIP/2.0 ")
@example(b"INVITE sip:a SIP/2.0\r\n\r\n")
def test_any_bytes_are_a_message_or_a_parse_error(data: bytes) -> None:
    try:
        message = Message.parse(data)
    except ParseError:
        return

    message.key()
    message.dialog()
    message.values("Via")
    message.validate()
    assert len(message.body) <= len(data)


@given(st.lists(st.binary(max_size=80) | mutated_messages(), max_size=4))
def test_any_datagrams_leave_the_core_sound(datagrams: list[bytes]) -> None:
    core = _core()

    core.receive_batch(1, [(data, PEER) for data in datagrams], 0.0)
    for _, _, answer in core.take_output():
        # 100 goes out when an INVITE comes twice; the core accepts nothing by itself.
        assert Message.parse(answer).status in {100, *range(400, 600)}
    while (deadline := core.next_deadline()) is not None:
        core.handle_timeout(deadline)

    statistics = core.statistics()
    assert statistics["timers"] == statistics["panics"] == 0


@given(st.text(max_size=60) | st.from_regex(r"sips?:[a-z@:;=?%\[\]0-9.]{0,30}", fullmatch=True))
def test_any_text_is_a_uri_or_a_parse_error(text: str) -> None:
    try:
        uri = Uri.parse(text)
    except ParseError:
        return

    assert uri == Uri.parse(text)
    assert uri.host


@given(st.text(max_size=60) | st.from_regex(r'["<>a-z:;=\\, ]{0,30}', fullmatch=True))
def test_any_text_is_a_name_addr_or_a_parse_error(text: str) -> None:
    try:
        address = NameAddr.parse(text)
    except ParseError:
        return

    assert Uri.parse(address.uri).host


@given(st.text(max_size=40), st.text(max_size=40))
@example("X", "a\r\nVia: b")
@example("X: y\r\nZ", "v")
@example("Via", "v")
@example("X", "a\u0085b")
@example("X", "\udcff")
def test_any_header_given_reads_back_or_is_refused(name: str, value: str) -> None:
    try:
        data = _send([*BASE, (name, value)])
    except (InvalidHeaderError, UnicodeEncodeError):
        return

    message = Message.parse(data)
    assert message.items()[1:-1] == [*BASE, (message.items()[5][0], value.strip(" "))]
    assert message.items()[0][0] == "Via"
    assert message.body == b"body"


@given(st.text(max_size=30), st.text(max_size=30))
@example("sip:b SIP/2.0\r\nX: y", "x")
@example("sip:b", "x\r\nX: y")
def test_any_uri_and_sent_by_stay_in_their_places(uri: str, sent_by: str) -> None:
    try:
        message = Message.parse(_send(BASE, uri=uri, sent_by=sent_by))
    except (InvalidHeaderError, UnicodeEncodeError):
        return

    assert message.uri == uri
    assert [name for name, _ in message.items()] == [
        "Via",
        *(name for name, _ in BASE),
        "Content-Length",
    ]


@given(st.data())
def test_any_split_of_a_stream_gives_the_same_messages(data: st.DataObject) -> None:
    sender = _core()
    messages = [_send([*BASE, ("X", str(number))], core=sender) for number in range(3)]
    whole = b"\r\n\r\n".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    core = _core("tcp")
    events = []

    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        events += core.receive_stream(1, whole[start:end], PEER, 0.0)

    bodies = [event[5].header("X") for event in events if event[5] is not None]
    assert bodies == ["0", "1", "2"]
    assert [output[2] for output in core.take_output()] == [b"\r\n", b"\r\n"]


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_stream_is_framed_or_broken_once(parts: list[bytes]) -> None:
    core = _core("tcp")

    events = [event for part in parts for event in core.receive_stream(1, part, PEER, 0.0)]

    assert [event[0] for event in events].count(EVENT_FLOW_BROKEN) <= 1


@pytest.mark.parametrize(
    "filler", [b";a=b", b",<sip:a@b>", b' "\\"', b"<", b'"', b"\\", b"\r\n ", b"%41"]
)
def test_reading_twice_the_bytes_takes_twice_the_work(filler: bytes) -> None:
    half, whole = _seconds_to_read(filler, 30_000), _seconds_to_read(filler, 60_000)

    # 4 would be quadratic; the least of several thread times leaves other load out.
    assert whole / half < 3.2
    assert whole < 0.020


def _seconds_to_read(filler: bytes, size: int) -> float:
    head = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nContact: <sip:a@b>"
    data = head + filler * ((size - len(head)) // len(filler)) + b"\r\n\r\n"
    times = []
    for _ in range(9):
        start = time.thread_time()
        message = Message.parse(data)
        message.validate()
        message.dialog()
        times.append(time.thread_time() - start)
    return min(times)

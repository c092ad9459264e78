"""The text ladder and the records it is drawn from."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from trivox.call.trace import TraceRecord
from trivox.observe.ladder import ladder
from trivox.observe.records import MessageRecord, MessageRecorder

SVG = "{http://www.w3.org/2000/svg}"
ALICE, BOARD, BOB, STRANGER = (
    ("127.0.0.1", 1), ("127.0.0.1", 2), ("127.0.0.1", 3), ("::1", 4),
)  # fmt: skip
PARTIES = {ALICE: "alice", BOARD: "switchboard", BOB: "bob"}


def _invite(call_id: str = "c1", *, sdp: bool = True) -> bytes:
    kind = "Content-Type: application/sdp\r\n" if sdp else ""
    return f"INVITE sip:bob@x SIP/2.0\r\ni: {call_id}\r\nCSeq: 1 INVITE\r\n{kind}\r\n".encode()


RINGING = b"SIP/2.0 180 Ringing\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"


def test_a_message_is_an_arrow_between_its_two_columns_with_the_time() -> None:
    records = [
        MessageRecord(10.0, "in", BOARD, ALICE, _invite()),
        MessageRecord(10.002, "out", BOARD, BOB, _invite()),
        MessageRecord(10.0305, "in", BOARD, BOB, RINGING),
    ]

    heads, first, second, third = ladder(records, PARTIES).splitlines()

    assert heads.split() == ["alice", "switchboard", "bob"]
    assert first.startswith("      0.0 ms")
    assert first.index("INVITE +sdp") < first.index("▶") < second.index("INVITE +sdp")
    assert second.startswith("      2.0 ms")
    assert third.startswith("     30.5 ms")
    assert "◀" in third
    assert "180 Ringing (INVITE)" in third


def test_the_trace_a_call_keeps_is_drawn_too() -> None:
    trace = [TraceRecord(3.0, "out", 1, ALICE, BOB, _invite())]

    heads, line = ladder(trace, PARTIES).splitlines()

    assert heads.split() == ["alice", "bob"]
    assert line.index("INVITE") < line.index("▶")


def test_columns_stand_below_each_other() -> None:
    records = [
        MessageRecord(0.0, "in", BOARD, ALICE, _invite()),
        MessageRecord(0.1, "out", BOARD, BOB, _invite()),
    ]

    _, first, second = ladder(records, PARTIES).splitlines()

    assert second.index("│") == first.index("│")
    assert first.rindex("│") == second.rindex("│")
    assert len(first) == len(second)


def test_the_same_message_sent_again_is_marked() -> None:
    records = [MessageRecord(at, "in", BOARD, ALICE, _invite()) for at in (0.0, 0.5)]

    _, first, second = ladder(records, PARTIES).splitlines()

    assert "(again)" not in first
    assert "(again)" in second


def test_an_unknown_address_gets_a_column_at_the_right() -> None:
    records = [MessageRecord(0.0, "in", BOARD, STRANGER, b"junk")]

    heads, line = ladder(records, PARTIES).splitlines()

    assert heads.split() == ["switchboard", "[::1]:4"]
    assert "junk" in line


def test_a_long_title_is_cut_to_fit_its_columns() -> None:
    long = b"SIP/2.0 484 " + b"A very long reason phrase that nobody will read" + b"\r\n\r\n"
    records = [MessageRecord(0.0, "out", BOARD, ALICE, long)]

    _, line = ladder(records, PARTIES).splitlines()

    assert "…" in line
    assert line.endswith("│")


def test_the_recorder_keeps_the_newest_and_finds_a_calls_messages() -> None:
    recorder = MessageRecorder(limit=2)
    for at, call_id in enumerate(("gone", "c1", "c2")):
        recorder.record(at, "in", 1, BOARD, ALICE, _invite(call_id, sdp=False))

    assert recorder.dropped == 1
    assert [record.call_id for record in recorder.records] == ["c1", "c2"]
    assert [record.at for record in recorder.of_call("c2")] == [2]
    assert recorder.records[0].title == "INVITE"


def test_the_picture_shows_each_message_and_escapes_what_it_says() -> None:
    refusal = b"SIP/2.0 486 <Busy> & gone\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n\r\n"
    records = [
        MessageRecord(1.0, "out", ALICE, BOB, _invite()),
        MessageRecord(1.5, "in", ALICE, BOB, refusal),
    ]

    picture = ElementTree.fromstring(ladder(records, PARTIES, form="svg"))

    texts = [element.text for element in picture.iter(f"{SVG}text")]
    paths = [element.get("class") for element in picture.iter(f"{SVG}path") if element.get("class")]
    assert texts[:2] == ["alice", "bob"]
    assert texts[2:] == ["0.0 ms", "INVITE +sdp", "500.0 ms", "486 <Busy> & gone (INVITE)"]
    assert paths == ["message", "message refused"]


def test_a_call_is_drawn_from_its_trace() -> None:
    class Traced:
        trace = (TraceRecord(3.0, "out", 1, ALICE, BOB, _invite()),)

    assert "127.0.0.1:1" in ladder(Traced())


def test_nothing_a_peer_wrote_steers_the_terminal_or_breaks_the_picture() -> None:
    rude = b"SIP/2.0 200 \x1b[2J\x00\xe2\x80\xaeKO\r\nCSeq: 1 INVITE\r\n\r\n"
    record = MessageRecord(0.0, "in", BOARD, ALICE, rude)

    text, picture = ladder([record]), ladder([record], form="svg")

    assert "200 \ufffd[2J\ufffd\ufffdKO (INVITE)" in text
    assert ElementTree.fromstring(picture).find(f"{SVG}text") is not None


def test_nothing_to_draw_says_how_to_have_something() -> None:
    assert ladder([]) == "no messages were kept: open the client with keep_trace=True\n"
    assert ladder([], form="svg").startswith("<svg")

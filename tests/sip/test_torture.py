"""RFC 4475 and RFC 5118: all 61 messages get the manifest's verdict, alone and through the core."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from trivox._native import EVENT_FLOW_BROKEN, EVENT_REQUEST, EVENT_RESPONSE, Message, SipCore
from trivox.errors import ParseError

FOLDER = Path(__file__).parents[1] / "data" / "torture"
SOURCE = ("192.0.2.1", 5060)
FLOW = 1

# What our validation says where the manifest leaves room or names no status. Rulings:
# - mismatch02 may be 501 or 400: the syntax is judged before the method, so 400 (RFC 4475 §3.1.2.18).
# - Max-Forwards above 255 (scalar02, clerr's 80 is fine) is no reason by itself; its CSeq is.
# - 416 is for the Request-URI only; unknown schemes in From, To and Contact are the user agent's matter.
STATUS = {
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 400,
    "ipv6-bad": 400,
    "insuf": 400,
    "unkscm": 416,
    "novelsc": 416,
    "multi01": 400,
    "mcl01": 400,
    # lenient rows, all refused but a bad Date, which nothing here reads, and the ":::" of RFC 3261
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "regbadct": 400,
    "badaspec": 400,
    "baddn": 400,
}
DROPPED_RESPONSES = {"scalarlg", "bigcode"}


@dataclass(frozen=True)
class Row:
    path: str
    verdict: str
    digest: str

    @property
    def name(self) -> str:
        return Path(self.path).stem

    @property
    def data(self) -> bytes:
        return (FOLDER / self.path).read_bytes()


def _rows() -> list[Row]:
    lines = (FOLDER / "MANIFEST.tsv").read_text().splitlines()[1:]
    cells = [line.split("\t") for line in lines]
    return [Row(cell[0], cell[2], cell[5]) for cell in cells]


ROWS = _rows()
every_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def _core(transport: str = "udp") -> SipCore:
    core = SipCore(b"torture")
    core.open_flow(FLOW, transport, ("192.0.2.9", 5060))
    return core


def _is_accepted(data: bytes) -> bool:
    try:
        return Message.parse(data).validate() is None
    except ParseError:
        return False


def test_all_files_are_there_unchanged() -> None:
    digests = [hashlib.sha256(row.data).hexdigest()[:16] for row in ROWS]

    assert len(ROWS) == 61
    assert digests == [row.digest for row in ROWS]


@every_row
def test_message_alone_gets_the_verdict_of_the_manifest(row: Row) -> None:
    """RFC 5118 §4.1."""
    expected = {
        "valid": True,
        "invalid": False,
        "lenient": row.name not in STATUS,
        "app": row.name not in STATUS,
    }

    assert _is_accepted(row.data) is expected[row.verdict]


@every_row
def test_core_answers_refused_requests_and_passes_up_the_rest(row: Row) -> None:
    """RFC 4475 §3.1.1."""
    core = _core()

    events = core.receive_batch(FLOW, [(row.data, SOURCE)], 0.0)
    output = core.take_output()

    if row.name in STATUS:
        (_, _, answer), *rest = output
        assert Message.parse(answer).status == STATUS[row.name]
        assert (events, rest) == ([], [])
    elif row.name in DROPPED_RESPONSES:
        assert (events, output) == ([], [])
        assert core.statistics()["malformed"] == 1
    else:
        assert len(events) == 1
        assert output == []


@every_row
def test_every_getter_of_what_parses_returns(row: Row) -> None:
    try:
        message = Message.parse(row.data)
    except ParseError:
        assert row.name in {"clerr", "ncl", "mcl01", "bigcode"}
        return

    assert len(message.key()) == 8
    assert len(message.dialog()) == 8
    assert all(message.header(name) is not None for name, _ in message.items())


def test_stream_waits_for_the_body_that_clerr_promises() -> None:
    core = _core("tcp")

    assert core.receive_stream(FLOW, _row("clerr"), SOURCE, 0.0) == []


@pytest.mark.parametrize("name", ["ncl", "mcl01"])
def test_stream_with_unusable_content_length_is_broken(name: str) -> None:
    events = _core("tcp").receive_stream(FLOW, _row(name), SOURCE, 0.0)

    assert [event[0] for event in events] == [EVENT_FLOW_BROKEN]


def test_octets_behind_a_datagrams_content_length_are_cut_off() -> None:
    message = Message.parse(_row("dblreq"))

    assert (message.method, message.body) == ("REGISTER", b"")


def test_two_requests_in_one_stream_are_two_events() -> None:
    events = _core("tcp").receive_stream(FLOW, _row("dblreq"), SOURCE, 0.0)

    # What follows the INVITE's Content-Length is no message: the stream ends there.
    assert [(event[0], event[3]) for event in events] == [
        (EVENT_REQUEST, "REGISTER"),
        (EVENT_REQUEST, "INVITE"),
        (EVENT_FLOW_BROKEN, ""),
    ]


def test_response_for_a_broadcast_address_goes_nowhere() -> None:
    core = _core()
    (event,) = core.receive_batch(FLOW, [(_row("bcast"), SOURCE)], 0.0)

    message = event[5]

    assert event[0] != EVENT_RESPONSE
    assert message is not None
    assert core.take_output() == []


def test_folded_and_compact_headers_of_wsinv_read_plainly() -> None:
    message = Message.parse(_row("wsinv"))

    assert message.header("Max-Forwards") == "0068"
    assert message.key()[7] == 9
    assert message.key()[4] == "1918181833n"
    assert [via.split(";")[0].split()[-1] for via in message.values("Via")] == [
        "192.0.2.2",
        "spindle.example.com",
        "192.168.255.111",
    ]


def test_nul_behind_a_percent_escape_does_not_cut_the_user() -> None:
    message = Message.parse(_row("escnull"))

    assert "%00" in message.dialog()[3]


def _row(name: str) -> bytes:
    return next(row.data for row in ROWS if row.name == name)

"""Any messages at all, in a ladder and in a pcapng file; and no pattern of the library backtracks."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
import re
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trivox
from trivox.observe.records import MessageRecord, MessageRecorder

PIECES = (
    b"INVITE sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n", b"Call-ID: a\r\n", b"i : b\r\n", b"CSeq: 1 INVITE\r\n",
    b"Content-Type: application/sdp\r\n", b"c:\r\n", b"Via: SIP/2.0/UDP a\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"<&]]>",
    b"\0", b"\x1b[2J", b"\xff\xfe", "\u202e\u2028é".encode(), b" " * 50, b"SIP/2.0 ", b"\x85",
)  # fmt: skip
messages = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=12)
hosts = st.sampled_from(("10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::1%eth0", "a.invalid", ""))
addresses = st.tuples(hosts, st.integers(0, 65_535))
records = st.lists(
    st.builds(
        MessageRecord,
        st.floats(0.0, 1e9),
        st.sampled_from(("in", "out")),
        addresses,
        addresses,
        messages.map(b"".join),
    ),
    max_size=12,
)
parties = st.dictionaries(addresses, st.text(max_size=8), max_size=3)


@given(records, parties)
def test_a_ladder_has_a_line_for_each_record(drawn, names):
    text = trivox.ladder(drawn, names)

    lines = text.split("\n")
    assert lines[-1] == ""
    assert sum("ms" in line or "-" in line for line in lines) >= bool(drawn)
    assert not any(ord(char) < 32 and char != "\n" for char in text)


@given(records, parties)
def test_a_ladder_is_well_formed_svg_that_runs_nothing(drawn, names):
    from xml.etree import ElementTree

    root = ElementTree.fromstring(trivox.ladder(drawn, names, form="svg"))

    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "image", "foreignObject", "a"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=records, epoch=st.floats(0.0, 4e9))
def test_a_pcapng_file_holds_each_record_whole(drawn, epoch, tmp_path):
    path = tmp_path / "any.pcapng"

    assert trivox.write_pcapng(path, drawn, epoch=epoch) == len(drawn)

    blocks = list(_blocks(path.read_bytes()))
    assert [kind for kind, _ in blocks] == [0x0A0D0D0A, 1, *[6] * len(drawn)]
    kept = sorted(drawn, key=lambda record: record.at)
    for record, (_, body) in zip(kept, blocks[2:], strict=True):
        size = struct.unpack_from("<I", body, 12)[0]
        assert body[20 : 20 + size].endswith(record.data)


def _blocks(data):
    while data:
        kind, size = struct.unpack_from("<II", data)
        assert size % 4 == 0
        assert struct.unpack_from("<I", data, size - 4)[0] == size
        yield kind, data[8 : size - 4]
        data = data[size:]


@given(records, st.integers(1, 5))
def test_a_recorder_keeps_the_newest(drawn, limit):
    recorder = MessageRecorder(limit)
    for record in drawn:
        recorder.record(record.at, record.direction, 1, record.local, record.remote, record.data)

    assert list(recorder.records) == drawn[-limit:]
    assert recorder.dropped == max(0, len(drawn) - limit)


def test_a_header_full_of_blanks_is_read_in_linear_time():
    data = b"INVITE sip:a SIP/2.0\r\nCall-ID: a" + b" " * 60_000 + b"x\r\n\r\n"
    record = MessageRecord(0.0, "in", ("a", 1), ("b", 2), data)
    began = time.process_time()

    assert record.call_id.startswith("a ")
    assert record.title == "INVITE"
    assert time.process_time() - began < 0.5


HEADS = (
    "", "a", "1 ", 'a="', "a;", "call-id: a", "cseq: a", "c: a", "via: ", "Signal", "Duration", "Digest ",
    "a=candidate:1 1 udp 1 ", "c=IN IP4 ", "SIP", 'SIP;text="', '"', "<", "Messages-Waiting", "boundary=",
)  # fmt: skip
PUMPS = (
    " ", "\t", "a", "0", '"', "\\", ";", ",", "=", "a ", "a=", "; ", ", ", ";a=b", "\\a", '"a', "a.", "<", "\r\n",
    "\r\n ", "a/", ": ", "%41",
)  # fmt: skip
FROM_PROGRAMS = {"_TONES", "_MIME_TYPE"}
"""What these read no peer wrote."""


def _patterns():
    for found in pkgutil.walk_packages(trivox.__path__, "trivox."):
        if ".cli" in found.name:
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) and name not in FROM_PROGRAMS:
                is_searched = re.search(
                    rf"{name}\.(search|find|sub|split)", inspect.getsource(module)
                )
                way = value.search if is_searched else value.match
                yield pytest.param(value, way, id=f"{found.name}.{name}")


@pytest.mark.parametrize(("pattern", "way"), list(_patterns()))
def test_no_pattern_backtracks(pattern, way):
    for head, pump, end in itertools.product(HEADS, PUMPS, ("\0", "\r\n\r\nz")):
        text = head + 3000 * pump + end
        subject = text.encode() if isinstance(pattern.pattern, bytes) else text
        # Linear ones take less than a millisecond, quadratic ones about a hundred.
        assert min(_seconds(way, subject) for _ in range(2)) < 0.03, (head, pump, end)


def _seconds(way, subject):
    began = time.process_time()
    way(subject)
    return time.process_time() - began

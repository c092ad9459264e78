"""The pcapng file: its blocks, as the format's specification lays them out."""

from __future__ import annotations

from struct import unpack_from

from trivox.observe.pcapng import write_pcapng
from trivox.observe.records import MessageRecord

DATA = b"OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nCall-ID: 1\r\n\r\n"


def _blocks(path):
    raw = path.read_bytes()
    at = 0
    while at < len(raw):
        kind, size = unpack_from("<II", raw, at)
        assert unpack_from("<I", raw, at + size - 4) == (size,)
        assert size % 4 == 0
        yield kind, raw[at + 8 : at + size - 4]
        at += size


def test_each_message_is_a_packet_with_its_time_addresses_and_bytes(tmp_path) -> None:
    path = tmp_path / "call.pcapng"
    later = MessageRecord(2.5, "in", ("127.0.0.1", 5060), ("127.0.0.1", 6060), DATA)
    first = MessageRecord(1.0, "out", ("::1", 5060), ("::1", 6060), DATA)

    count = write_pcapng(path, [later, first], epoch=1_700_000_000.0)

    section, interface, one, two = _blocks(path)
    assert count == 2
    assert section[0] == 0x0A0D0D0A
    assert unpack_from("<H", interface[1]) == (252,)
    high, low, kept, whole = unpack_from("<IIII", one[1], 4)
    assert (high << 32 | low) == 1_700_000_001_000_000
    assert kept == whole
    assert one[1][20 : 20 + kept].endswith(DATA)
    assert bytes(15) + b"\x01" in one[1]
    assert b"\x7f\x00\x00\x01" in two[1]


def test_a_name_in_place_of_an_address_is_left_out(tmp_path) -> None:
    path = tmp_path / "call.pcapng"
    write_pcapng(path, [MessageRecord(0.0, "out", ("alice", 1), ("bob", 2), DATA)])

    *_, (_, packet) = _blocks(path)

    assert packet[20:].startswith(b"\x00\x0c\x00\x04sip\x00\x00\x18")

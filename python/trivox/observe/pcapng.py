"""SIP messages as a pcapng file, which Wireshark and tshark open.

Each message is a packet of its own, already decrypted and unframed: what went over TLS or a
WebSocket is in clear. The packets are "exported PDUs": they name their dissector and carry the
addresses as tags, so no lower layer is made up.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Final

from trivox.observe.records import MessageRecord, messages_of
from trivox.observe.redaction import redacted

if TYPE_CHECKING:
    from os import PathLike

    from trivox.net.transport import Address
    from trivox.observe.records import Messages, Traced

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6
_EXPORTED_PDU: Final = 252
"""LINKTYPE_WIRESHARK_UPPER_PDU."""
_BYTE_ORDER: Final = 0x1A2B3C4D
_UNKNOWN_LENGTH: Final = 0xFFFF_FFFF_FFFF_FFFF
_TAG_DISSECTOR, _TAG_V4_SOURCE, _TAG_V6_SOURCE = 12, 20, 22
_TAG_PORT_TYPE, _TAG_SOURCE_PORT, _TAG_DESTINATION_PORT = 24, 25, 26
_PORT_TCP, _PORT_UDP = 2, 3
_VIA_UDP: Final = re.compile(rb"^(?:via|v)[ \t]*:[ \t]*SIP/2\.0/UDP", re.IGNORECASE | re.MULTILINE)


def write_pcapng(
    path: str | PathLike[str],
    what: Traced | Messages,
    *,
    epoch: float = 0.0,
    with_secrets: bool = False,
) -> int:
    """Write the messages of a call, oldest first; returns how many.

    What is secret in them is overwritten by "x": keys of SRTP, passwords of ICE and of URIs,
    digest answers and other credentials, digits in INFO. Names, addresses and texts stay.

    Args:
        path: The file; it is replaced.
        what: A call whose client was opened with `keep_trace=True`, or records as for `ladder`.
        epoch: Unix time at zero of Trio's clock, `time.time() - trio.current_time()`; without it
            the packets count from 1970.
        with_secrets: Write them as they were, for a tool that decrypts SRTP by the keys. Give such
            a file to nobody who may not hear the call.
    """
    records = sorted(map(MessageRecord.of, messages_of(what)), key=lambda record: record.at)
    blocks = [
        _block(_SECTION, pack("<IHHQ", _BYTE_ORDER, 1, 0, _UNKNOWN_LENGTH)),
        _block(_INTERFACE, pack("<HHI", _EXPORTED_PDU, 0, 0)),
    ]
    for record in records:
        data = record.data if with_secrets else redacted(record.data)
        blocks.append(_packet(record, data, epoch))
    Path(path).write_bytes(b"".join(blocks))
    return len(records)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return pack("<II", kind, size) + body + pack("<I", size)


def _packet(record: MessageRecord, message: bytes, epoch: float) -> bytes:
    data = _tags(record) + message
    micros = max(round((record.at + epoch) * 1e6), 0)
    head = pack("<IIIII", 0, micros >> 32, micros & 0xFFFF_FFFF, len(data), len(data))
    return _block(_PACKET, head + data)


def _tags(record: MessageRecord) -> bytes:
    port_type = _PORT_UDP if _VIA_UDP.search(record.data) else _PORT_TCP
    return (
        _tag(_TAG_DISSECTOR, b"sip")
        + _address(record.source, 0)
        + _address(record.destination, 1)
        + _tag(_TAG_PORT_TYPE, pack(">I", port_type))
        + _tag(_TAG_SOURCE_PORT, pack(">I", record.source[1]))
        + _tag(_TAG_DESTINATION_PORT, pack(">I", record.destination[1]))
        + pack(">HH", 0, 0)
    )


def _address(address: Address, is_destination: int) -> bytes:
    """Return the tag of an address; none for what is a name, as on a virtual link."""
    try:
        host = ipaddress.ip_address(address[0].partition("%")[0])
    except ValueError:
        return b""
    first = _TAG_V4_SOURCE if host.version == 4 else _TAG_V6_SOURCE
    return _tag(first + is_destination, host.packed)


def _tag(kind: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return pack(">HH", kind, len(padded)) + padded

"""The addresses of this machine, asked of the kernel (rtnetlink); none where it has no such thing."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST: Final = 64
# linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h
_GET_ADDRESSES: Final = 22
_NEW_ADDRESS: Final = 20
_REQUEST_DUMP: Final = 0x301
_ATTRIBUTE_ADDRESS: Final = 1
_ATTRIBUTE_LOCAL: Final = 2
# Not yet or no longer to be used: tentative, deprecated, failed the check for duplicates.
_UNUSABLE: Final = 0x40 | 0x20 | 0x08
_HEADER: Final = struct.Struct("=LHHLL")
_ADDRESS: Final = struct.Struct("=BBBBL")
_ATTRIBUTE: Final = struct.Struct("=HH")


def local_hosts() -> tuple[str, ...]:
    """Return the addresses of this machine as numbers, in the kernel's order, at most 64.

    Link-local ones are left out: without an interface they name nothing. Empty where the system
    cannot be asked.
    """
    if not hasattr(socket, "AF_NETLINK"):
        return ()
    found: list[str] = []
    with suppress(OSError, struct.error):
        for data in _answers():
            found += _usable(data)
    return tuple(dict.fromkeys(found))[:_MOST]


def beside(host: str, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Return an address and, behind it, the others that media may be sent to and from.

    Loopback goes with loopback only: nobody on another machine can use it.
    """
    is_loopback = ipaddress.ip_address(host).is_loopback
    fitting = [one for one in hosts if ipaddress.ip_address(one).is_loopback is is_loopback]
    return tuple(dict.fromkeys((host, *(() if is_loopback else fitting))))


def _answers() -> Iterator[bytes]:
    """Ask for all addresses; give the kernel's messages about them."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as asked:
        asked.settimeout(1.0)
        asked.bind((0, 0))
        body = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        size = _HEADER.size + len(body)
        asked.send(_HEADER.pack(size, _GET_ADDRESSES, _REQUEST_DUMP, 1, os.getpid()) + body)
        while True:
            data = asked.recv(65_536)
            while len(data) >= _HEADER.size:
                size, kind, *_ = _HEADER.unpack_from(data)
                if kind != _NEW_ADDRESS or size < _HEADER.size:
                    return
                yield data[_HEADER.size : size]
                data = data[(size + 3) & ~3 :]


def _usable(data: bytes) -> Iterator[str]:
    family, _, flags, _, _ = _ADDRESS.unpack_from(data)
    length = {socket.AF_INET: 4, socket.AF_INET6: 16}.get(family)
    if length is None or flags & _UNUSABLE:
        return
    attributes: dict[int, bytes] = {}
    rest = data[_ADDRESS.size :]
    while len(rest) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(rest)
        if size < _ATTRIBUTE.size:
            break
        attributes[kind] = rest[_ATTRIBUTE.size : size]
        rest = rest[(size + 3) & ~3 :]
    # On a link of two ends the address is the far one's, and ours stands apart.
    raw = attributes.get(_ATTRIBUTE_LOCAL) or attributes.get(_ATTRIBUTE_ADDRESS, b"")
    if len(raw) == length:
        address = ipaddress.ip_address(raw)
        if not address.is_link_local:
            yield str(address)

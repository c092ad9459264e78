"""A device in the callers' network that has the callee refresh the session of some of their calls."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from trivox._native import Message

if TYPE_CHECKING:
    from trivox.net.transport import Address
    from trivox.testing import Link

    from .shape import Shape


class Refreshers:
    """Rewrites the INVITEs on the link: clients of trivox never ask the far end to refresh.

    Args:
        link: The network it is part of.
        shape: Says how many, and of what interval the INVITEs speak.
    """

    def __init__(self, link: Link, shape: Shape) -> None:
        self._carry = link.send
        self._share = shape.callee_refreshes
        self._header = b"Session-Expires: %d" % shape.session_expires
        self.changed = 0
        link.send = self.send

    def send(self, data: bytes, source: Address, destination: Address) -> None:
        """Carry a datagram on, changed where it is an INVITE of one of those calls."""
        if data.startswith(b"INVITE") and self._header + b"\r\n" in data:
            key = zlib.crc32(Message.parse(data).key()[2].encode())
            if key % 1000 < 1000 * self._share:
                self.changed += 1
                data = data.replace(self._header, self._header + b";refresher=uas", 1)
        self._carry(data, source, destination)

"""What goes wrong on a virtual network beside loss: errors of sockets, broken streams, DNS."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    import random

_SEND_ERRORS: Final = (errno.ENOBUFS, errno.ECONNREFUSED, errno.EPERM, errno.EAGAIN)
_OPEN_ERRORS: Final = (errno.EMFILE, errno.EADDRNOTAVAIL)
_CONNECT_ERRORS: Final = (errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EHOSTUNREACH)
_ACCEPT_ERRORS: Final = (errno.EMFILE, errno.ECONNABORTED)


@final
@dataclass(slots=True)
class LinkFaults:
    """Shares, 0 to 1, of what the network and the sockets on it do wrong.

    Nothing is drawn for a share of 0, so that runs without such a fault stay as they are.
    """

    corrupt: float = 0.0
    """Datagrams that arrive with one byte changed."""
    spike: float = 0.0
    """Datagrams that take `spike_delay` seconds more."""
    spike_delay: float = 3.0
    send: float = 0.0
    """Sends that a UDP socket refuses: ENOBUFS, ECONNREFUSED, EPERM, EAGAIN."""
    open: float = 0.0
    """Stream sockets that cannot be had: EMFILE, EADDRNOTAVAIL."""
    connect: float = 0.0
    """Connections that fail: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH."""
    accept: float = 0.0
    """Accepts that fail: EMFILE, ECONNABORTED."""
    reset: float = 0.0
    """Writes on a stream of which some first bytes arrive, and then the reset."""
    resolve: float = 0.0
    """Names that are not found."""
    resolve_delay: float = 0.0
    """Most seconds a name takes to be found or not, evenly drawn."""

    def change(self, data: bytes, draw: random.Random) -> bytes:
        """Return a datagram as it arrives."""
        if not self.corrupt or not data or draw.random() >= self.corrupt:
            return data
        at = draw.randrange(len(data))
        return data[:at] + bytes((draw.randrange(256),)) + data[at + 1 :]

    def hold_up(self, draw: random.Random) -> float:
        """Return the seconds a datagram takes more."""
        return self.spike_delay if self.spike and draw.random() < self.spike else 0.0

    def broken_at(self, size: int, draw: random.Random) -> int | None:
        """Return after how many bytes of a write the connection is reset; None: it is not."""
        if not self.reset or draw.random() >= self.reset:
            return None
        return draw.randint(0, size)

    def try_send(self, draw: random.Random) -> None:
        """Raise OSError when this send is refused."""
        _fail(self.send, _SEND_ERRORS, draw)

    def try_open(self, draw: random.Random) -> None:
        """Raise OSError when no stream socket can be had."""
        _fail(self.open, _OPEN_ERRORS, draw)

    def try_connect(self, draw: random.Random) -> None:
        """Raise OSError when this connection fails."""
        _fail(self.connect, _CONNECT_ERRORS, draw)

    def try_accept(self, draw: random.Random) -> None:
        """Raise OSError when this accept fails."""
        _fail(self.accept, _ACCEPT_ERRORS, draw)

    def try_resolve(self, host: str, draw: random.Random) -> None:
        """Raise OSError when this look-up fails."""
        if self.resolve and draw.random() < self.resolve:
            raise OSError(f"no such host: {host}")


def _fail(share: float, codes: tuple[int, ...], draw: random.Random) -> None:
    if share and draw.random() < share:
        code = draw.choice(codes)
        raise OSError(code, os.strerror(code))

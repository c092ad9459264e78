"""What goes wrong on a virtual network beside loss: errors of sockets, broken streams, DNS."""

from __future__ import annotations

import errno
import os
from collections import Counter
from dataclasses import dataclass, field
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
    happened: Counter[str] = field(default_factory=Counter, compare=False, repr=False)
    """How often each has happened, by the name of its share."""

    def change(self, data: bytes, draw: random.Random) -> bytes:
        """Return a datagram as it arrives."""
        if not self.corrupt or not data or draw.random() >= self.corrupt:
            return data
        self.happened["corrupt"] += 1
        at = draw.randrange(len(data))
        return data[:at] + bytes((draw.randrange(256),)) + data[at + 1 :]

    def hold_up(self, draw: random.Random) -> float:
        """Return the seconds a datagram takes more."""
        if not self.spike or draw.random() >= self.spike:
            return 0.0
        self.happened["spike"] += 1
        return self.spike_delay

    def broken_at(self, size: int, draw: random.Random) -> int | None:
        """Return after how many bytes of a write the connection is reset; None: it is not."""
        if not self.reset or draw.random() >= self.reset:
            return None
        self.happened["reset"] += 1
        return draw.randint(0, size)

    def try_send(self, draw: random.Random) -> None:
        """Raise OSError when this send is refused."""
        self._fail("send", _SEND_ERRORS, draw)

    def try_open(self, draw: random.Random) -> None:
        """Raise OSError when no stream socket can be had."""
        self._fail("open", _OPEN_ERRORS, draw)

    def try_connect(self, draw: random.Random) -> None:
        """Raise OSError when this connection fails."""
        self._fail("connect", _CONNECT_ERRORS, draw)

    def try_accept(self, draw: random.Random) -> None:
        """Raise OSError when this accept fails."""
        self._fail("accept", _ACCEPT_ERRORS, draw)

    def try_resolve(self, host: str, draw: random.Random) -> None:
        """Raise OSError when this look-up fails."""
        if self.resolve and draw.random() < self.resolve:
            self.happened["resolve"] += 1
            raise OSError(f"no such host: {host}")

    def _fail(self, name: str, codes: tuple[int, ...], draw: random.Random) -> None:
        share = getattr(self, name)
        if share and draw.random() < share:
            self.happened[name] += 1
            code = draw.choice(codes)
            raise OSError(code, os.strerror(code))

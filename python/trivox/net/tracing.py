"""What a trace hook is given: whole messages, also where the bytes came in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, final

from trivox.net.transport import Address, Flow

TraceHook = Callable[[float, str, int, Address, Address, bytes], None]
"""Called with (time, "in" or "out", flow, local, remote, one whole message as on the wire)."""

_LENGTH: Final = re.compile(
    rb"^(?:content-length|l)[ \t]*:\s*(\d{1,6})", re.IGNORECASE | re.MULTILINE
)
_LARGEST: Final = 131_072


@final
class Tap:
    """Give an endpoint's messages to a trace hook.

    Args:
        hook: Sees them.
        local_address: Returns the address a peer reaches a flow at.
    """

    def __init__(self, hook: TraceHook, local_address: Callable[[Flow, Address], Address]) -> None:
        self._hook = hook
        self._local_address = local_address
        self._splitters: dict[int, StreamSplitter] = {}

    def sent(self, now: float, flow: Flow, destination: Address, data: bytes) -> None:
        """Show a message that leaves; keep-alives are left out."""
        if data.strip():
            local = self._local_address(flow, destination)
            self._hook(now, "out", flow.id, local, destination, data)

    def received(self, now: float, flow: Flow, source: Address, data: bytes) -> None:
        """Show a whole message that came in."""
        self._hook(now, "in", flow.id, self._local_address(flow, source), source, data)

    def received_piece(self, now: float, flow: Flow, source: Address, data: bytes) -> None:
        """Show the messages that a piece of a stream completes."""
        splitter = self._splitters.setdefault(flow.id, StreamSplitter())
        for message in splitter.split(data):
            self.received(now, flow, source, message)

    def closed(self, flow: Flow) -> None:
        """Forget the incomplete message of a connection that is gone."""
        self._splitters.pop(flow.id, None)


@final
class StreamSplitter:
    """Cut the bytes of a connection into messages, for reading by people and not for judging."""

    def __init__(self) -> None:
        self._rest = b""

    def split(self, data: bytes) -> list[bytes]:
        """Take a piece; return the messages it completed. Keep-alives are left out."""
        rest = (self._rest + data).lstrip(b"\r\n")
        messages = []
        while (head := rest.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(rest, 0, head)
            end = head + 4 + (int(found[1]) if found else 0)
            if len(rest) < end:
                break
            messages.append(rest[:end])
            rest = rest[end:].lstrip(b"\r\n")
        self._rest = rest if len(rest) <= _LARGEST else b""
        return messages

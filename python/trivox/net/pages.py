"""What a plain HTTP request at a WebSocket port is given to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A GET or HEAD at the port of the WebSocket."""

    method: str
    target: str
    """The request target as received: path and query, percent-encoded."""


@dataclass(frozen=True, slots=True)
class PageResponse:
    """The answer, sent with its Content-Length; the connection closes after it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


PageHandler = Callable[[PageRequest], Awaitable[PageResponse]]

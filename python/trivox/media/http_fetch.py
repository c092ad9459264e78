"""One GET over HTTP/1.1 (RFC 9112), by h11 on a stream of Trio's; imported by `UrlSource` only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11
import trio

from trivox.errors import EngineError, InvalidArgumentsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_LARGEST_HEAD: Final = 65_536
_BLOCK: Final = 8_192
_MOST_INTERIM: Final = 16
_LONGEST_HINT: Final = 200
_OK: Final = 200


def request_of(target: str, host: str, headers: Mapping[str, str]) -> h11.Request:
    """Return the request for a target. Raises InvalidArgumentsError for headers that are none."""
    own = {"Host": host, "User-Agent": "trivox", "Accept-Encoding": "identity"}
    own["Connection"] = "close"
    given = {name.lower() for name in headers}
    kept = [(name, value) for name, value in own.items() if name.lower() not in given]
    try:
        return h11.Request(method="GET", target=target, headers=[*kept, *headers.items()])
    except (h11.LocalProtocolError, UnicodeError, TypeError) as error:
        raise InvalidArgumentsError(f"headers hold what no request may have: {error}") from error


async def fetch(
    stream: trio.abc.Stream,
    request: h11.Request,
    *,
    most_bytes: int,
    patience: float,
    take: Callable[[bytes], Awaitable[None]],
) -> None:
    """Ask, and give what is answered on piece by piece.

    Args:
        stream: Where to; it is left open.
        request: What is asked.
        most_bytes: More of a body ends it.
        patience: Seconds for which nothing may come.
        take: Takes a piece; while it waits nothing more is read.

    Raises:
        EngineError: It is not answered with 200, breaks off, or is too long or too slow.
    """
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
    asked = (http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b"")
    left, interim = most_bytes, 0
    try:
        with trio.fail_after(patience):
            await stream.send_all(asked)
        while not isinstance(event := await _next_event(http, stream, patience), h11.EndOfMessage):
            match event:
                case h11.InformationalResponse():
                    interim += 1
                    if interim > _MOST_INTERIM:
                        raise EngineError("the web server does not come to its answer")
                case h11.Response():
                    _check(event)
                case h11.Data():
                    left -= len(event.data)
                    if left < 0:
                        raise EngineError(f"more than {most_bytes} bytes came: raise most_bytes")
                    await take(bytes(event.data))
    except h11.RemoteProtocolError as error:
        raise EngineError(f"the web server broke off: {error}") from error


async def _next_event(http: h11.Connection, stream: trio.abc.Stream, patience: float) -> h11.Event:
    while (event := http.next_event()) is h11.NEED_DATA:
        with trio.fail_after(patience):
            http.receive_data(bytes(await stream.receive_some(_BLOCK)))
    if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
        raise EngineError("the web server closed without an answer")
    return event


def _check(response: h11.Response) -> None:
    if response.status_code == _OK:
        return
    where = dict(response.headers).get(b"location", b"").decode("latin-1")[:_LONGEST_HINT]
    hint = f": it lies at {where!r}, which is not followed" if where else ""
    raise EngineError(f"the web server answered {response.status_code}{hint}")

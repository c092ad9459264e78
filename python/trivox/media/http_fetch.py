"""One GET over HTTP/1.1 (RFC 9112), by h11 on a stream of Trio's; imported by `UrlSource` only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import h11
import trio

from trivox.errors import EngineError, InvalidArgumentsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_LARGEST_HEAD: Final = 65_536
_BLOCK: Final = 8_192
_EACH: Final = 0.0001
"""Seconds that reading rests for each piece of a body: thousands of tiny ones may come slowly."""
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
    take: Callable[[bytes], Awaitable[bool]],
) -> None:
    """Ask, and give what is answered on, as much at a time as is there.

    Args:
        stream: Where to; it is left open.
        request: What is asked.
        most_bytes: More of a body ends it.
        patience: Seconds for which nothing may come.
        take: Takes a stretch, and says whether more is wanted; while it waits nothing is read.

    Raises:
        EngineError: It is not answered with 200, breaks off, or is too long or too slow.
    """
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
    asked = (http.send(request) or b"") + (http.send(h11.EndOfMessage()) or b"")
    answer = _Answer(http, most_bytes)
    try:
        with trio.fail_after(patience):
            await stream.send_all(asked)
        while not answer.is_over:
            with trio.fail_after(patience):
                http.receive_data(bytes(await stream.receive_some(_BLOCK)))
            if (body := answer.read()) and not await take(body):
                return
            await trio.sleep(answer.pieces * _EACH)
    except h11.RemoteProtocolError as error:
        raise EngineError(f"the web server broke off: {error}") from error


@final
class _Answer:
    """What comes for a request; `pieces` is in how many the last stretch of the body came."""

    __slots__ = ("_http", "_interim", "_left", "_most_bytes", "is_over", "pieces")

    def __init__(self, http: h11.Connection, most_bytes: int) -> None:
        self._http: Final = http
        self._most_bytes: Final = most_bytes
        self._left = most_bytes
        self._interim = 0
        self.pieces = 0
        self.is_over = False

    def read(self) -> bytes:
        """Return what is there of the body, in one."""
        body: list[bytes] = []
        while not self.is_over and (event := self._http.next_event()) is not h11.NEED_DATA:
            match event:
                case h11.InformationalResponse():
                    self._interim += 1
                    if self._interim > _MOST_INTERIM:
                        raise EngineError("the web server does not come to its answer")
                case h11.Response():
                    _check(event)
                case h11.Data():
                    body.append(bytes(event.data))
                case h11.EndOfMessage():
                    self.is_over = True
                case _:
                    raise EngineError("the web server closed without an answer")
        self.pieces = len(body)
        stretch = b"".join(body)
        self._left -= len(stretch)
        if self._left < 0:
            raise EngineError(f"more than {self._most_bytes} bytes came: raise most_bytes")
        return stretch


def _check(response: h11.Response) -> None:
    if response.status_code == _OK:
        return
    where = dict(response.headers).get(b"location", b"").decode("latin-1")[:_LONGEST_HINT]
    hint = f": it lies at {where!r}, which is not followed" if where else ""
    raise EngineError(f"the web server answered {response.status_code}{hint}")

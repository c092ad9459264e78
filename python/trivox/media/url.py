"""Sound of a web server, played while it comes."""

from __future__ import annotations

import logging
import ssl
from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, final
from urllib.parse import SplitResult, urlsplit

import trio

from trivox.errors import EngineError, InvalidArgumentsError, NotSupportedError
from trivox.errors.checks import checked_kind, checked_whole, checked_within
from trivox.media.native_engine import AudioFeed, SoundDecoder
from trivox.media.push import PushSource, while_played

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]

_LOGGER: Final = logging.getLogger("trivox.media")
_RATE: Final = 48_000
_AHEAD: Final = 2.0
"""Seconds that are decoded ahead of what is played; then the server has to wait."""
_MOST_BYTES: Final = 64 << 20
_LARGEST: Final = 1 << 40
_MOST_KEPT: Final = 1_048_576
_PIECE: Final = 2 * _RATE
"""Bytes that are decoded at a time, at least: a second."""
_ROUND: Final = 1.0
"""Seconds between two requests of a loop, at least."""
_KEPT_ROUND: Final = 0.1
"""The same, where nothing is asked."""
_PORTS: Final = {"http": 80, "https": 443}


@final
class UrlSource:
    """A WAV, Ogg Opus or FLAC file, or a stream, of a web server, read while it plays.

    Each playback asks the server once, with GET over HTTP/1.1, and keeps two seconds at most; what
    comes late is silence. Only this URL is asked: an answer that points elsewhere is an error.
    Needs the extra `http`.

    Args:
        url: "http://…" or "https://…", in ASCII, without a user name.
        headers: Sent with the request, such as Authorization; they are in no log.
        loop: Start again at the end, until stopped: from memory what has up to 1 MiB, else by asking
            again, once a second at most. A stream without an end has no second round.
        most_bytes: A longer answer ends the playback, 1 to 2^40.
        patience: Seconds for which the server may be silent, 0.1 to 3600.
        tls: What proves the server of "https"; None: the system's authorities, which are read in a
            thread with the first playback.
        connect: Returns the stream to a host and port; None: `trio.open_tcp_stream`. A program that
            plays URLs of others looks here at where they lead.

    Raises:
        InvalidArgumentsError: The URL or a header is none that can be asked, or `tls` proves none.
        NotSupportedError: The extra `http` is not installed.
    """

    __slots__ = (
        "_connect", "_loop", "_most_bytes", "_opened", "_parts", "_patience", "_request", "_tls",
        "error",
    )  # fmt: skip

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        loop: bool = False,
        most_bytes: int = _MOST_BYTES,
        patience: float = 10.0,
        tls: ssl.SSLContext | None = None,
        connect: Connect | None = None,
    ) -> None:
        try:
            from trivox.media.http_fetch import request_of
        except ImportError as error:
            raise NotSupportedError(
                "a UrlSource needs the extra `http`: pip install 'trivox[http]'"
            ) from error
        self._parts: Final = _checked_url(url)
        if headers is not None:
            checked_kind(headers, Mapping, "headers")  # type: ignore[type-abstract]
        if connect is not None and not callable(connect):
            raise InvalidArgumentsError(f"connect is {connect!r}; give an async function, or None")
        checked_whole(most_bytes, "most_bytes", 1, _LARGEST, unit=" bytes")
        checked_within(patience, "patience", 0.1, 3600.0, unit=" seconds")
        self._loop: Final = loop
        self._most_bytes: Final = most_bytes
        self._patience: Final = patience
        self._tls = _checked_tls(tls)
        self._connect: Final[Connect] = connect or trio.open_tcp_stream
        host = self._parts.netloc
        path, query = self._parts.path or "/", self._parts.query
        self._request: Final = request_of(f"{path}?{query}" if query else path, host, headers or {})
        self._opened: Final[deque[AudioFeed]] = deque()
        self.error: Exception | None = None
        """Why the last playback that failed did."""

    def __repr__(self) -> str:
        # What follows a "?" may be a key.
        return f"<UrlSource {self._parts.scheme}://{self._parts.netloc}{self._parts.path}>"

    # For playbacks.

    def open(self) -> AudioFeed:
        """Return what a playback hears; `take_pump` gives the task that fills it."""
        feed = AudioFeed(_RATE, _AHEAD, once=True)
        self._opened.append(feed)
        return feed

    def forget_opened(self) -> None:
        """Forget what was opened for a playback that did not begin."""
        self._opened.clear()

    def take_pump(self) -> Callable[[], Awaitable[None]] | None:
        """Return the task that fills what was opened, once."""
        if not self._opened:
            return None
        source = PushSource(_RATE, feed=self._opened.popleft())
        return partial(while_played, source, partial(self._fill, source), self._note)

    def _note(self, error: Exception) -> None:
        self.error = error
        _LOGGER.warning("%r ended early: %s", self, error)

    async def _fill(self, source: PushSource) -> None:
        octets = await self._ask(source)
        begun = trio.current_time()
        while self._loop:
            is_kept = len(octets) <= _MOST_KEPT
            await trio.sleep_until(begun + (_KEPT_ROUND if is_kept else _ROUND))
            begun = trio.current_time()
            if is_kept:
                await _Sound(source).take_all(octets)
            else:
                octets = await self._ask(source)

    async def _ask(self, source: PushSource) -> bytes:
        """Play one answer; in a loop it is returned, or so much that it is known to be long."""
        from trivox.media.http_fetch import fetch

        sound, kept = _Sound(source), bytearray()

        async def take(octets: bytes) -> bool:
            if self._loop and len(kept) <= _MOST_KEPT:
                kept.extend(octets)
            return await sound.take(octets)

        try:
            async with await self._reach() as stream:
                await fetch(
                    stream,
                    self._request,
                    most_bytes=self._most_bytes,
                    patience=self._patience,
                    take=take,
                )
        except trio.TooSlowError as error:
            raise EngineError(f"the web server was silent for {self._patience} s") from error
        except (OSError, trio.BrokenResourceError) as error:
            reason = error.__cause__ or error
            raise EngineError(f"the web server cannot be reached: {reason}") from error
        await sound.take_end()
        return bytes(kept)

    async def _reach(self) -> trio.abc.Stream:
        host = self._parts.hostname or ""
        if self._parts.scheme == "https" and self._tls is None:
            self._tls = await trio.to_thread.run_sync(ssl.create_default_context)
        with trio.fail_after(self._patience):
            stream = await self._connect(host, self._parts.port or _PORTS[self._parts.scheme])
        if self._parts.scheme == "http":
            return stream
        assert self._tls is not None, "it was read above"
        try:
            return trio.SSLStream(stream, self._tls, server_hostname=host, https_compatible=True)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise


@final
class _Sound:
    """Octets of a file on their way to what is played: decoded off the program's thread."""

    __slots__ = ("_decoder", "_source")

    def __init__(self, source: PushSource) -> None:
        self._decoder: Final = SoundDecoder(_RATE)
        self._source: Final = source

    async def take(self, octets: bytes) -> bool:
        """Play what has come, as fast as it is played; False when the sound is over."""
        is_more = True
        while is_more:
            samples, is_more, error = await trio.to_thread.run_sync(self._decode, octets)
            octets = b""
            if samples:
                await self._source.send(samples)
            if error is not None:
                raise error
        return not self._decoder.is_over

    async def take_end(self) -> None:
        """Play what is left: nothing more comes."""
        self._decoder.close()
        await self.take(b"")

    async def take_all(self, octets: bytes) -> None:
        """Play a whole file."""
        await self.take(octets)
        await self.take_end()

    def _decode(self, octets: bytes) -> tuple[bytes, bool, EngineError | None]:
        """Return samples, whether there may be more, and what was wrong behind them."""
        made: list[bytes] = []
        size = 0
        try:
            self._decoder.push(octets)
            while size < _PIECE:
                samples = self._decoder.take()
                if not samples:
                    return b"".join(made), False, None
                made.append(samples)
                size += len(samples)
        except EngineError as error:
            return b"".join(made), False, error
        return b"".join(made), True, None


def _checked_tls(tls: ssl.SSLContext | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    checked_kind(tls, ssl.SSLContext, "tls")
    if tls.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise InvalidArgumentsError("tls is made for a server: give ssl.create_default_context()")
    return tls


def _checked_url(url: str) -> SplitResult:
    checked_kind(url, str, "url")
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise InvalidArgumentsError(f"the URL cannot be read: {error}") from error
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if not is_whole or not is_plain:
        raise InvalidArgumentsError("a URL is http:// or https:// with a host, in printable ASCII")
    if "@" in parts.netloc:
        raise InvalidArgumentsError("a URL has no user name: give an Authorization header")
    return parts

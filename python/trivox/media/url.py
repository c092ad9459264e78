"""Sound of a web server, played while it comes."""

from __future__ import annotations

import logging
import ssl
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, final
from urllib.parse import SplitResult, urlsplit

import trio

from trivox.errors import EngineError, InvalidArgumentsError, NotSupportedError
from trivox.errors.checks import checked_kind, checked_whole, checked_within
from trivox.media.native_engine import AudioFeed, SoundDecoder
from trivox.media.push import PushSource, while_played

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]

_LOGGER: Final = logging.getLogger("trivox.media")
_RATE: Final = 48_000
_AHEAD: Final = 2.0
"""Seconds that are decoded ahead of what is played; then the server has to wait."""
_MOST_BYTES: Final = 64 << 20
_LARGEST: Final = 1 << 40
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
        most_bytes: A longer answer ends the playback, 1 to 2^40.
        patience: Seconds for which the server may be silent, 0.1 to 3600.
        tls: What proves the server of "https"; None: the system's authorities.
        connect: Returns the stream to a host and port; None: `trio.open_tcp_stream`. A program that
            plays URLs of others looks here at where they lead.

    Raises:
        InvalidArgumentsError: The URL or a header is none that can be asked.
        NotSupportedError: The extra `http` is not installed.
    """

    __slots__ = (
        "_connect", "_most_bytes", "_opened", "_parts", "_patience", "_request", "_tls", "error",
    )  # fmt: skip

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
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
        checked_whole(most_bytes, "most_bytes", 1, _LARGEST, unit=" bytes")
        checked_within(patience, "patience", 0.1, 3600.0, unit=" seconds")
        self._most_bytes: Final = most_bytes
        self._patience: Final = patience
        self._tls: Final = tls
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
        return partial(while_played, source, partial(self._fill, source))

    async def _fill(self, source: PushSource) -> None:
        try:
            await self._fetch(source)
        except trio.ClosedResourceError:
            return  # nobody hears it any more
        except Exception as error:
            self.error = error
            _LOGGER.warning("%r ended early: %s", self, error)
            source.feed.fail(str(error) or type(error).__name__)
        finally:
            source.close()

    async def _fetch(self, source: PushSource) -> None:
        from trivox.media.http_fetch import fetch

        decoder = SoundDecoder(_RATE)

        async def take(octets: bytes) -> None:
            decoder.push(octets)
            await _pour(decoder, source)

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
        decoder.close()
        await _pour(decoder, source)

    async def _reach(self) -> trio.abc.Stream:
        host = self._parts.hostname or ""
        with trio.fail_after(self._patience):
            stream = await self._connect(host, self._parts.port or _PORTS[self._parts.scheme])
        if self._parts.scheme == "http":
            return stream
        context = self._tls or ssl.create_default_context()
        return trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)


async def _pour(decoder: SoundDecoder, source: PushSource) -> None:
    """Decode what has come, off the program's thread, as fast as it is played."""
    while samples := await trio.to_thread.run_sync(decoder.take):
        await source.send(samples)


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

"""Sound of a web server: read while it comes, bounded, and every way it fails told."""

from __future__ import annotations

import ssl
import threading
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import h11
import pytest
import trio
import trustme
from tests.media.clips import make_sound
from tests.media.pairs import connect_pair
from trio.testing import lockstep_stream_pair

from trivox.errors import EngineError, InvalidArgumentsError
from trivox.media.engine import EngineEventKind as Kind
from trivox.media.sources import MixSource, pumps_of, start_playback
from trivox.media.url import UrlSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trivox.media.driven import DrivenMedia
    from trivox.media.native_engine import AudioFeed

URL = "http://music.example/hold?key=secret"
HOSTS = ("10.0.0.1", "10.0.0.2")


class Server:
    """Answers each request in the same way, in pieces."""

    def __init__(
        self, body: bytes, status: int = 200, *, short: int = 0, piece: int = 5_000, **headers: str
    ) -> None:
        self.body, self.status, self.short, self.headers = body, status, short, headers
        self.piece = piece
        self.times: list[float] = []
        self.asked: list[h11.Request] = []
        self.sent = 0
        self.nursery: trio.Nursery | None = None

    async def connect(self, host: str, port: int) -> trio.abc.Stream:
        near, far = lockstep_stream_pair()
        assert (host, port) == ("music.example", 80)
        assert self.nursery is not None
        self.nursery.start_soon(self.serve, far)
        return near

    async def serve(self, stream: trio.abc.Stream) -> None:
        http = h11.Connection(h11.SERVER)
        async with stream:
            while not isinstance(event := http.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    http.receive_data(await stream.receive_some())
                elif isinstance(event, h11.Request):
                    self.asked.append(event)
                    self.times.append(trio.current_time())
                else:
                    return  # who asked has gone
            length = str(len(self.body) + self.short)
            headers = [("Content-Length", length), *self.headers.items()]
            try:
                answer = h11.Response(status_code=self.status, headers=headers)
                await stream.send_all(http.send(answer) or b"")
                for start in range(0, len(self.body), self.piece):
                    piece = self.body[start : start + self.piece]
                    await stream.send_all(http.send(h11.Data(data=piece)) or b"")
                    self.sent += len(piece)
            except trio.BrokenResourceError:
                return


async def played(server: Server, **settings: Any) -> tuple[UrlSource, AudioFeed]:
    """Let a source be filled to its end; what is played waits."""
    source = UrlSource(URL, connect=server.connect, **settings)
    feed = source.open()
    (pump,) = pumps_of(source)
    assert pumps_of(source) == []
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            server.nursery = nursery
            await pump()
            nursery.cancel_scope.cancel()
    assert feed.is_closed
    return source, feed


def sound(tmp_path: Path, kind: str = "wav", seconds: float = 1.0) -> bytes:
    codec, rate = {"wav": ("pcm_s16le", 16_000), "flac": ("flac", 16_000)}.get(
        kind, ("libopus", 48_000)
    )
    return make_sound(tmp_path / f"tone.{kind}", codec, 900.0, seconds, rate).read_bytes()


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
async def test_each_format_is_decoded_as_it_comes(tmp_path: Path, kind: str) -> None:
    server = Server(sound(tmp_path, kind))

    source, feed = await played(server, headers={"Authorization": "Bearer mine"})

    assert source.error is None
    assert feed.queued == pytest.approx(1.0, abs=0.01)
    (request,) = server.asked
    assert (request.method, request.target) == (b"GET", b"/hold?key=secret")
    headers = dict(request.headers)
    assert headers[b"host"] == b"music.example"
    assert headers[b"authorization"] == b"Bearer mine"


async def test_a_server_over_tls_is_proved_and_asked(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    server = Server(sound(tmp_path))
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    outcomes = []
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            serve = partial(quietly, server, context)
            nursery.start_soon(trio.serve_listeners, serve, [listener])
            for tls in (trusted, None):
                source = UrlSource(f"https://127.0.0.1:{port}/", tls=tls)
                feed = source.open()
                await pumps_of(source)[0]()
                outcomes.append((source.error, feed.queued))
            nursery.cancel_scope.cancel()
    (none, seconds), (stranger, nothing) = outcomes
    assert none is None
    assert seconds == pytest.approx(1.0, abs=0.01)
    assert "certificate verify failed" in str(stranger)
    assert nothing == 0.0


async def quietly(server: Server, context: ssl.SSLContext, stream: trio.SocketStream) -> None:
    tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
    try:
        await server.serve(tls)
    except trio.BrokenResourceError:
        return


async def test_authorities_are_read_once_a_source_and_off_the_programs_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = []

    def context() -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    async def closed(_host: str, _port: int) -> trio.abc.Stream:
        near, far = lockstep_stream_pair()
        await far.aclose()
        return near

    monkeypatch.setattr("trivox.media.url.ssl.create_default_context", context)
    source = UrlSource("https://music.example/", connect=closed)

    for _ in range(2):
        source.open()
        await pumps_of(source)[0]()
        assert "cannot be reached" in str(source.error)

    (thread,) = threads
    assert thread is not threading.current_thread()


@pytest.mark.parametrize("host", ["music.example", "x" * 300])
async def test_every_way_out_closes_the_stream(host: str) -> None:
    kept: list[trio.testing.MemoryReceiveStream] = []

    async def connect(_host: str, _port: int) -> trio.abc.Stream:
        near, far = trio.testing.memory_stream_pair()
        kept.append(far.receive_stream)
        await far.send_stream.aclose()
        return near

    source = UrlSource(f"https://{host}/", connect=connect, tls=ssl.create_default_context())
    source.open()
    await pumps_of(source)[0]()

    (far,) = kept
    assert source.error is not None
    with trio.fail_after(5):
        while await far.receive_some():
            pass


async def test_a_body_in_tiny_pieces_is_decoded_as_much_as_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = sound(tmp_path, seconds=0.1)
    chunks = b"".join(b"1\r\n%c\r\n" % octet for octet in body) + b"0\r\n\r\n"
    hops = []

    async def counted(run: Callable[..., Any], *args: Any, **settings: Any) -> Any:
        hops.append(run)
        return await run_sync(run, *args, **settings)

    async def connect(_host: str, _port: int) -> trio.abc.Stream:
        near, far = trio.testing.memory_stream_pair()
        await far.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        return near

    run_sync = trio.to_thread.run_sync
    monkeypatch.setattr("trio.to_thread.run_sync", counted)
    source = UrlSource(URL, connect=connect)
    feed = source.open()
    await pumps_of(source)[0]()

    assert source.error is None
    assert feed.queued == pytest.approx(0.1, abs=0.01)
    assert len(body) > 3_000
    assert len(hops) <= len(chunks) / 8_192 + 2


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock) -> None:
    """Decode in the task: virtual time does not wait for threads."""

    async def inline(run: Callable[..., Any], *args: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return run(*args)

    monkeypatch.setattr("trio.to_thread.run_sync", inline)


@pytest.mark.usefixtures("no_threads")
async def test_a_short_sound_goes_round_from_memory(tmp_path: Path) -> None:
    server = Server(sound(tmp_path, seconds=0.3))
    source = UrlSource(URL, connect=server.connect, loop=True)
    feed = source.open()
    heard = 0.0
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            server.nursery = nursery
            nursery.start_soon(pumps_of(source)[0])
            while heard < 3.0:
                await trio.sleep(0.01)
                taken = feed.queued
                feed.skip(taken)
                heard += taken
            feed.play_out()
    assert source.error is None
    assert len(server.asked) == 1


@pytest.mark.usefixtures("no_threads")
async def test_a_sound_of_next_to_nothing_goes_round_ten_times_a_second(tmp_path: Path) -> None:
    server = Server(sound(tmp_path, seconds=0.01))
    source = UrlSource(URL, connect=server.connect, loop=True)
    feed = source.open()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            server.nursery = nursery
            nursery.start_soon(pumps_of(source)[0])
            await trio.sleep(0.45)
            assert 0.03 < feed.queued < 0.07
            feed.play_out()


@pytest.mark.usefixtures("no_threads")
async def test_a_long_sound_is_asked_for_again_and_not_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trivox.media.url._MOST_KEPT", 4_096)
    server = Server(sound(tmp_path, seconds=0.5))
    source = UrlSource(URL, connect=server.connect, loop=True)
    feed = source.open()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            server.nursery = nursery
            nursery.start_soon(pumps_of(source)[0])
            while len(server.asked) < 3:
                await trio.sleep(0.1)
            server.status = 404
            while not feed.is_closed:
                await trio.sleep(0.1)
                feed.skip(1.0)
            nursery.cancel_scope.cancel()
    gaps = [later - one for one, later in pairwise(server.times)]
    assert min(gaps) >= 1.0
    assert "answered 404" in str(source.error), "a round that fails is told"


CUT = b"RIFF\xff\xff\xff\xffWAVE"
FAULTS = {
    "missing": (Server(b"gone", 404), {}, "answered 404"),
    "elsewhere": (Server(b"", 302, Location="http://10.0.0.1/"), {}, "'http://10.0.0.1/', which"),
    "long": (Server(bytes(20_000)), {"most_bytes": 10}, "more than 10 bytes"),
    "no sound": (Server(b"<html>"), {}, "neither WAV"),
    "empty": (Server(b""), {}, "before it has any sound"),
    "header only": (Server(CUT), {}, "before it has any sound"),
    "cut": (Server(CUT, short=9), {}, "broke off"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_goes_wrong_is_told(fault: str) -> None:
    server, settings, reason = FAULTS[fault]

    source, feed = await played(server, **settings)

    assert reason in str(source.error)
    assert feed.queued == 0.0


async def test_answers_before_the_answer_are_bounded() -> None:
    near, far = lockstep_stream_pair()

    async def put_off() -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while True:
                await far.send_all(b"HTTP/1.1 100 Continue\r\n\r\n" * 4)

    async def connect(_host: str, _port: int) -> trio.abc.Stream:
        return near

    source = UrlSource(URL, connect=connect)
    feed = source.open()
    (pump,) = pumps_of(source)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(far.receive_some, 65_536)
            nursery.start_soon(put_off)
            await pump()
            nursery.cancel_scope.cancel()

    assert feed.is_closed
    assert "does not come to its answer" in str(source.error)


async def test_a_long_place_elsewhere_is_told_shortly() -> None:
    server = Server(b"", 302, Location="http://else.example/" + "x" * 50_000)

    source, _ = await played(server)

    assert "http://else.example/" in str(source.error)
    assert len(str(source.error)) < 400


async def test_a_server_that_is_silent_or_not_there_is_told() -> None:
    kept = []

    async def silent(host: str, port: int) -> trio.abc.Stream:
        near, far = lockstep_stream_pair()
        kept.append(far)
        return near

    async def absent(host: str, port: int) -> trio.abc.Stream:
        raise OSError("no way there")

    for connect, reason in ((silent, "silent for 0.1 s"), (absent, "no way there")):
        source = UrlSource(URL, connect=connect, patience=0.1)
        source.open()
        await pumps_of(source)[0]()
        assert reason in str(source.error)


async def test_what_is_not_played_is_not_fetched_and_a_stop_ends_it(tmp_path: Path) -> None:
    server = Server(sound(tmp_path, seconds=30.0))
    source = UrlSource(URL, connect=server.connect)
    feed = source.open()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            server.nursery = nursery
            nursery.start_soon(pumps_of(source)[0])
            while feed.queued < 1.0:
                await trio.sleep(0.01)
            await trio.sleep(0.1)
            assert feed.queued <= 2.0
            assert server.sent < len(server.body) / 2
            feed.play_out()
    assert source.error is None


@pytest.mark.native
async def test_a_playback_ends_with_the_error_behind_what_was_good(
    autojump_clock: trio.testing.MockClock, media: DrivenMedia, tmp_path: Path
) -> None:
    caller, _ = await connect_pair(media, "plain", HOSTS)
    data = bytearray(sound(tmp_path, "flac"))
    data[-2000] ^= 0x5A
    server = Server(bytes(data))
    source = UrlSource(URL, connect=server.connect)

    async with trio.open_nursery() as nursery:
        server.nursery = nursery
        number = start_playback(media.sessions, caller.session, source)
        for pump in pumps_of(source):
            nursery.start_soon(pump)
        ended = await caller.wait_for(Kind.PLAYBACK_ENDED, number)

    seconds, _, error = ended[2].partition(" ")
    assert float(seconds) > 0.4
    assert error.startswith("the FLAC file is damaged")


async def test_a_playback_that_does_not_begin_takes_nothing_from_the_next(
    media: DrivenMedia, tmp_path: Path
) -> None:
    caller, _ = await connect_pair(media, "plain", HOSTS)
    source = UrlSource(URL, connect=Server(b"").connect)
    mixed = MixSource((source, str(tmp_path / "missing.wav")))

    with pytest.raises(EngineError):
        start_playback(media.sessions, caller.session, mixed)

    assert pumps_of(source) == []


def test_its_name_tells_no_key() -> None:
    source = UrlSource(URL, headers={"Authorization": "mine"})
    assert repr(source) == "<UrlSource http://music.example/hold>"


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "ftp://host/"},
        {"url": "http://"},
        {"url": "http://host:99999/"},
        {"url": "http://user:secret@host/"},
        {"url": "http://host/a b"},
        {"url": "http://host/\r\nX: y"},
        {"url": "http://host/é"},
        {"url": 7},
        {"most_bytes": 0},
        {"patience": 0.0},
        {"tls": "context"},
        {"tls": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)},
        {"connect": 7},
        {"headers": 7},
        {"headers": {"X": "a\r\nY: b"}},
    ],
)
def test_what_cannot_be_asked_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentsError):
        UrlSource(**{"url": "http://host/", **bad})

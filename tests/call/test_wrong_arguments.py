"""Values of every wrong kind, for every argument there is: a typed error at the call, or none.

What comes from deep inside (TypeError, AttributeError, OverflowError) tells a program nothing of
its mistake, and may come after something was done.
"""

from __future__ import annotations

import inspect
import math
from contextlib import suppress

import pytest
import trio

import trivox
from trivox.errors import BufferOverflowError, InvalidArgumentsError, TrivoxError
from trivox.media.sinks import CallbackSink

from .conftest import Pair
from .test_data_channels import two

WRONG = (None, 5, -1, math.nan, math.inf, 10**30, True, "", "x", "\ud800", b"\0", [], {}, object())
WRONG += (print, ["a\r\nb"], {"a": "b\r\n"}, "a\r\nb")
TYPED = (TrivoxError, trio.ClosedResourceError, trio.WouldBlock, trio.BrokenResourceError)
MADE = {
    trivox.AccountConfig: ("sip:a@b",),
    trivox.AnswererDetection: (),
    trivox.AsyncIterSource: (trio.open_memory_channel[bytes](1)[1],),
    trivox.CallSettings: (),
    trivox.CallbackSink: (repr,),
    trivox.ClientConfig: (),
    trivox.Detection: (),
    trivox.DoorLimits: (),
    trivox.FileSink: ("a.wav",),
    trivox.FileSource: ("a.wav",),
    trivox.IceServer: ("stun:192.0.2.1",),
    trivox.IterSource: ([b""],),
    trivox.ListenerOptions: (),
    trivox.MixSource: (("a.wav",),),
    trivox.MusicOnHoldSource: ("a.wav",),
    trivox.OpusSettings: (),
    trivox.PipeSink: (trio.testing.MemorySendStream(),),
    trivox.PushSource: (),
    trivox.SharedSource: ("a.wav",),
    trivox.SilenceSource: (),
    trivox.StreamLimits: (),
    trivox.TlsConfig: (),
    trivox.ToneSource: (),
    trivox.VideoFileSource: ("a.ivf",),
    trivox.open_switchboard: (),
}
OURS = {"engine", "sockets", "trace", "dns", "seed", "feed"}
"""Arguments that are ours, or for tests: they are what they are by their types alone."""
ON_A_CALL = {
    "answer": (),
    "audio": (),
    "add_stream": (),
    "cancel_on_end": (),
    "change_identity": ("Bob",),
    "choose_video_layer": (),
    "collect_dtmf": (),
    "create_data_channel": ("chat",),
    "events": (),
    "hold": (),
    "progress": (),
    "recording": ("a.wav",),
    "redirect": (),
    "reject": (),
    "remove_stream": (),
    "replace_stream": (),
    "send_dtmf": ("1",),
    "send_info": ("text/plain",),
    "send_message": (),
    "send_request": ("OPTIONS",),
    "start_screen_sharing": (),
    "transfer": (),
}
ON_A_CLIENT = {
    "add_account": (),
    "bridge": (),
    "create_call": ("sip:b@10.0.0.9",),
    "create_conference": (),
    "events": (),
    "incoming_calls": (),
    "request": (),
    "send_disposition": (),
    "subscribe": ("sip:b@10.0.0.9", "message-summary"),
}
ON_A_STREAM = {
    "decoded_frames": (),
    "encoded_frames": (),
    "frames": (),
    "into": (),
    "read": (0.1,),
    "recording": ("a.mkv",),
    "rtp_packets": (),
}
ON_A_PORT = {"clear": (), "played": (), "send": (b"",), "send_nowait": (b"",)}
ON_A_CONFERENCE = {
    "add": (),
    "events": (),
    "get": (),
    "on": (),
    "recording": ("a.wav",),
    "remove": (),
}


def wrongly(function, given):
    """Yield the ways to call a function with one argument that is wrong, the others as given."""
    parameters = inspect.signature(function).parameters.values()
    for place, parameter in enumerate(parameters):
        if parameter.name in OURS or parameter.kind is parameter.VAR_KEYWORD:
            continue
        needed = sum(
            one.default is one.empty and one.kind < one.VAR_POSITIONAL for one in parameters
        )
        for value in WRONG:
            if parameter.kind is parameter.VAR_POSITIONAL:
                yield (*given, value), {}
            elif place < max(len(given), needed):
                before = given[:place] + (value,) * (place - len(given[:place]))
                after = given[place + 1 :] or (value,) * (needed - place - 1)
                yield (*before, value, *after), {}
            elif len(given) >= needed:
                yield given, {parameter.name: value}


async def attempt(function, args, kwargs) -> None:
    """Call, await and enter what it gives; whatever is not typed comes out."""
    with suppress(*TYPED), trio.move_on_after(1):
        result = function(*args, **kwargs)
        if inspect.isawaitable(result):
            await result
        elif hasattr(result, "close"):
            result.close()


async def sweep(thing, table) -> None:
    for name, given in table.items():
        function = getattr(thing, name)
        for args, kwargs in wrongly(function, given):
            try:
                await attempt(function, args, kwargs)
            except Exception as error:
                raise AssertionError(f"{name}{args!a}{kwargs!a}: {error!a}") from error


@pytest.fixture
def pair(world):
    return Pair(world)


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_what_a_program_makes_refuses_it(kind, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)

    for args, kwargs in wrongly(kind, MADE[kind]):
        with suppress(TrivoxError):
            kind(*args, **kwargs)


async def test_a_call_refuses_it_and_goes_on(autojump_clock, pair, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)

    async def body(call, far) -> None:
        await sweep(call, ON_A_CALL)
        assert not call.state.value.is_terminal
        assert (await call.send_info("text/plain", "still here").wait()).status == 200

    await pair.run(body)


async def test_streams_and_ports_of_a_call_refuse_it(
    autojump_clock, pair, monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)

    async def body(call, far) -> None:
        (stream,) = call.remote_streams.value
        await sweep(stream, ON_A_STREAM)
        with call.audio() as port:
            await sweep(port, ON_A_PORT)

    await pair.run(body)


async def test_a_client_refuses_it(autojump_clock, world) -> None:
    async with world().client() as client:
        await sweep(client, ON_A_CLIENT)
        assert not client.calls


async def test_a_conference_refuses_it_and_ends_as_it_should(
    autojump_clock, world, monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    async with world().client() as client, client.create_conference() as conference:
        await sweep(conference, ON_A_CONFERENCE)


async def test_a_mark_of_another_port_is_refused_and_not_waited_for(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        with call.audio() as one, call.audio() as other:
            await one.send(b"\0\0" * 1600)
            mark = one.mark("here")
            with pytest.raises(InvalidArgumentsError, match="another port"):
                await other.played(mark)
            assert isinstance(await one.played(mark), bool)

    await pair.run(body)


def test_what_is_wrong_is_named_with_what_would_be_right() -> None:
    with pytest.raises(
        InvalidArgumentsError, match="rate is 7999; it must be a whole number, 8000"
    ):
        CallbackSink(print, rate=7999)
    with pytest.raises(InvalidArgumentsError, match=r"level_dbov is 3; it must be -90 to 0 dBov"):
        trivox.ToneSource(level_dbov=3)
    with pytest.raises(InvalidArgumentsError, match="a cadence is a tuple of pairs"):
        trivox.ToneSource(cadence=(0.5, 0.5))
    with pytest.raises(InvalidArgumentsError, match="cannot be written in UTF-8"):
        trivox.FileSource("\ud800.wav")


@pytest.mark.native
async def test_more_marks_and_taps_than_places_are_refused(autojump_clock) -> None:
    async with two(created=None) as (call, _, _, _):
        (stream,) = call.remote_streams.value
        taps = [stream.rtp_packets() for _ in range(16)]
        for one_more in (stream.rtp_packets, stream.encoded_frames):
            with pytest.raises(BufferOverflowError):
                one_more()
        taps[0].close()
        stream.rtp_packets().close()
        with call.audio(ahead=1.0) as port:
            await port.send(b"\0\0" * 16_000)
            for _ in range(1024):
                port.mark()
            with pytest.raises(BufferOverflowError):
                port.mark()


async def test_a_room_is_not_recorded_with_pictures(autojump_clock, world) -> None:
    async with world().client() as client, client.create_conference() as conference:
        with pytest.raises(InvalidArgumentsError, match=r"record to one of \.wav, \.ogg, \.opus"):
            conference.recording("room.mkv")

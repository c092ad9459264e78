"""Every public coroutine is a checkpoint, whatever it finds; a table says where each is shown."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from pathlib import Path

import pytest
import trio
from trio.testing import assert_checkpoints

import trivox
from trivox.call.end_scope import CancelOnEnd
from trivox.call.sinking import Sinking
from trivox.call.streams import LocalStream
from trivox.client.account import Registered
from trivox.client.dialling import Dialling
from trivox.media.sources import SilenceSource, ToneSource

from .conftest import Pair

ROOT = Path(__file__).parents[2]
ON_A_CONNECTED_CALL = {
    "wait_connected": lambda call, far: call.wait_connected(),
    "play": lambda call, far: call.play(SilenceSource(0.0001)),
    "collect_dtmf": lambda call, far: call.collect_dtmf(first_timeout=0.001),
    "hold": lambda call, far: call.hold(),
    "resume": lambda call, far: _held(call),
    "add_stream": lambda call, far: call.add_stream(call.user_data),
    "remove_stream": lambda call, far: call.remove_stream(next(iter(call.local_streams.value))),
    "replace_stream": lambda call, far: call.replace_stream(
        call.user_data, next(iter(call.local_streams.value))
    ),
    "send_request": lambda call, far: call.send_request("OPTIONS"),
    "aclose": lambda call, far: call.aclose(),
    "wait_event": lambda call, far: _told(call, far),
}
HERE = "tests/call/test_checkpoints.py"
ELSEWHERE = {
    "Account": "tests/client/test_checkpoints.py",
    "Bridge": "tests/call/test_bridge.py",
    "Call.__aenter__": "tests/client/test_checkpoints.py",
    "Call.__aexit__": "tests/client/test_checkpoints.py",
    "Call.answer": "tests/call/test_trio_rules.py",
    "Call.change_identity": "tests/call/test_identity.py",
    "Call.progress": "tests/call/test_trio_rules.py",
    "Call.redirect": "tests/client/test_checkpoints.py",
    "Call.restart_ice": "tests/call/test_paths.py",
    "Call.start": "tests/call/test_trio_rules.py",
    "Call.start_screen_sharing": "tests/call/test_video_checkpoints.py",
    "Call.stop_screen_sharing": "tests/call/test_video_checkpoints.py",
    "Call.transfer": "tests/client/test_checkpoints.py",
    "Client": "tests/client/test_checkpoints.py",
    "Client.send_disposition": "tests/client/test_messages.py",
    "Client.send_message": "tests/client/test_messages.py",
    "Conference": "tests/call/test_conference.py",
    "DataChannel": "tests/call/test_data_channels.py",
    "Dialling": "tests/client/test_checkpoints.py",
    "EncodedFrames": "tests/call/test_video_checkpoints.py",
    "EncodedVideoSource": "tests/call/test_video_checkpoints.py",
    "EventSubscription": "tests/actor/test_emitter.py",
    "IncomingCalls": "tests/client/test_checkpoints.py",
    "MessageReceipt": "tests/actor/test_receipt.py",
    "ReadonlyWatchable": "tests/actor/test_watchable.py",
    "Receipt": "tests/actor/test_receipt.py",
    "Registered": "tests/client/test_checkpoints.py",
    "RoomRecording": "tests/call/test_conference.py",
    "Subscription": "tests/client/test_subscriptions.py",
    "VideoFrames": "tests/media/test_pictures.py",
    "Watchable": "tests/actor/test_watchable.py",
}
"""The file that shows it, of a class or one member of it; what has no entry is shown here."""
DRIVEN = {"CallbackSink.take", "PipeSink.take", "Switchboard.keep_time"}
"""What trivox itself awaits: no program does."""
SPECIAL = {"__aenter__", "__aexit__", "__anext__"}


async def _held(call) -> None:
    await call.hold()
    with assert_checkpoints():
        await call.hold(False)


async def _told(call, far) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.wait_event)
        await trio.testing.wait_all_tasks_blocked()
        far.send_message("here")


@pytest.fixture
def pair(world):
    return Pair(world)


@pytest.mark.parametrize("name", ON_A_CONNECTED_CALL)
async def test_on_a_connected_call(autojump_clock, pair, name) -> None:
    async def body(call, far) -> None:
        call.user_data = LocalStream("more", ToneSource())
        with assert_checkpoints():
            await ON_A_CONNECTED_CALL[name](call, far)

    await pair.run(body)


async def test_before_and_after_a_call(autojump_clock, pair) -> None:
    held = []

    async def body(call, far) -> None:
        held.append(call)

    await pair.run(body)
    (call,) = held
    with assert_checkpoints():
        await call.wait_ended()
    with assert_checkpoints():
        await call.aclose()


async def test_ports_marks_and_sources(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        with call.audio() as port:
            marks = port.played_marks()
            with assert_checkpoints():
                await port.send(b"\0\0" * 160)
            with assert_checkpoints():
                await port.wait_played()
            with assert_checkpoints():
                await port.played(port.mark("one"))
            with assert_checkpoints():
                await anext(marks)
            with assert_checkpoints():
                await anext(port)
        source = trivox.PushSource()
        with assert_checkpoints():
            await source.send(b"\0\0")
        source.clear()
        with assert_checkpoints():
            await source.wait_played()

    await pair.run(body)


async def test_what_a_stream_gives(autojump_clock, pair) -> None:
    async def body(call, far) -> None:
        (stream,) = call.remote_streams.value
        with assert_checkpoints():
            await stream.read(0.02)
        heard = []
        with assert_checkpoints():
            async with stream.into(trivox.CallbackSink(heard.append)):
                pass
        with stream.encoded_frames() as frames, assert_checkpoints():
            await anext(frames)
        with stream.rtp_packets() as tap:
            far.mute_microphone()
            with assert_checkpoints():
                await anext(tap)

    await pair.run(body)


async def test_recordings_and_scopes_of_a_call(autojump_clock, pair, tmp_path) -> None:
    async def body(call, far) -> None:
        recording = call.recording(tmp_path / "a.wav")
        with assert_checkpoints():
            await recording.__aenter__()
        with assert_checkpoints():
            await recording.__aexit__(None, None, None)
        scope = call.cancel_on_end()
        with assert_checkpoints():
            await scope.__aenter__()
        with assert_checkpoints():
            await scope.__aexit__(None, None, None)

    await pair.run(body)


@cache
def _shown_in(path: str) -> frozenset[str]:
    """Return the names of what is awaited within `assert_checkpoints` in a file."""
    names: set[str] = set()
    for block in ast.walk(ast.parse((ROOT / path).read_text())):
        if not isinstance(block, ast.With):
            continue
        if not any("assert_checkpoints" in ast.unparse(item) for item in block.items):
            continue
        for node in (inner for line in block.body for inner in ast.walk(line)):
            if isinstance(node, ast.AsyncWith):
                names |= {"__aenter__", "__aexit__"}
            elif isinstance(node, ast.AsyncFor):
                names.add("__anext__")
            elif isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
                name = ast.unparse(node.value.func).rpartition(".")[2]
                names.add({"anext": "__anext__"}.get(name, name))
    return frozenset(names)


def _coroutines() -> list[str]:
    found = {getattr(trivox, name) for name in trivox.__all__}
    classes = {one for one in found if inspect.isclass(one) and not issubclass(one, Exception)}
    return sorted(
        f"{kind.__name__}.{name}"
        for kind in {*classes, CancelOnEnd, Dialling, Registered, Sinking}
        for name, member in inspect.getmembers(kind)
        if inspect.iscoroutinefunction(member) and (name in SPECIAL or not name.startswith("_"))
    )


@pytest.mark.parametrize("member", sorted(set(_coroutines()) - DRIVEN))
def test_no_coroutine_is_left_out(member) -> None:
    kind, _, name = member.partition(".")
    path = ELSEWHERE.get(member) or ELSEWHERE.get(kind, HERE)

    assert name in _shown_in(path) or (path == HERE and name in ON_A_CONNECTED_CALL)


def test_what_is_driven_exists() -> None:
    assert set(_coroutines()) >= DRIVEN

"""Every operation of a call at every moment of its life: it works, or says why not; nothing hangs.

Twice in a row, and from another task than the one that made the call.
"""

from __future__ import annotations

import inspect
from contextlib import asynccontextmanager

import pytest
import trio

import trivox
from trivox.call.streams import LocalStream
from trivox.media.sources import SilenceSource, ToneSource

from .conftest import World

CALLEE = "sip:bob@10.0.0.2:5060"
OPERATIONS = {
    "start": lambda call: call.start(),
    "answer": lambda call: call.answer(),
    "progress": lambda call: call.progress(),
    "redirect": lambda call: call.redirect(["sip:c@10.0.0.9"]),
    "reject": lambda call: call.reject(486),
    "hangup": lambda call: call.hangup(),
    "aclose": lambda call: call.aclose(),
    "hold": lambda call: call.hold(),
    "resume": lambda call: call.hold(False),
    "mute_microphone": lambda call: call.mute_microphone(),
    "toggle_microphone": lambda call: call.toggle_microphone(),
    "add_stream": lambda call: call.add_stream(call.user_data),
    "remove_stream": lambda call: call.remove_stream(_own(call)),
    "replace_stream": lambda call: call.replace_stream(call.user_data, _own(call)),
    "start_screen_sharing": lambda call: call.start_screen_sharing([call.user_data]),
    "stop_screen_sharing": lambda call: call.stop_screen_sharing(),
    "transfer": lambda call: call.transfer("sip:c@10.0.0.9"),
    "change_identity": lambda call: call.change_identity("Bob"),
    "restart_ice": lambda call: call.restart_ice(),
    "play": lambda call: call.play(SilenceSource(0.1)),
    "recording": lambda call: _inside(call.recording("moments.wav")),
    "audio": lambda call: call.audio().close(),
    "frames": lambda call: [one.frames().close() for one in call.remote_streams.value],
    "collect_dtmf": lambda call: call.collect_dtmf(first_timeout=0.1),
    "send_dtmf": lambda call: call.send_dtmf("1").wait(),
    "send_info": lambda call: call.send_info("text/plain", "x").wait(),
    "send_message": lambda call: call.send_message("x").wait(),
    "send_request": lambda call: call.send_request("OPTIONS"),
    "create_data_channel": lambda call: call.create_data_channel("x").aclose(),
    "wait_connected": lambda call: call.wait_connected(),
    "wait_ended": lambda call: call.wait_ended(),
    "wait_event": lambda call: call.wait_event(trivox.Disconnected),
    "wait_value": lambda call: call.state.wait_value(trivox.CallState.RECONNECTING),
    "cancel_on_end": lambda call: _inside(call.cancel_on_end()),
    "statistics": lambda call: call.statistics(),
    "statistics_history": lambda call: call.statistics_history(),
}
WAITS = {"wait_connected", "wait_ended", "wait_event", "wait_value", "play", "collect_dtmf"}
WAITS |= {"recording", "transfer"}
"""What may wait for as long as the call goes on: its end must end them."""


def _own(call) -> LocalStream:
    return next(iter(call.local_streams.value), call.user_data)


async def _inside(manager) -> None:
    async with manager:
        pass


async def _answer(call) -> None:
    await call.answer()
    await call.wait_ended()


async def _ring(call) -> None:
    await call.progress(180)
    await call.wait_ended()


@asynccontextmanager
async def _dialled(handler, *, is_connected: bool = True):
    async with World().with_server(handler) as (client, _):
        call = client.create_call(CALLEE)
        if handler is not None:
            await call.start()
            if is_connected:
                await call.wait_connected()
            else:
                await call.wait_event(trivox.StartRinging)
        yield call


@asynccontextmanager
async def created():
    async with World().client() as client:
        yield client.create_call(CALLEE)


@asynccontextmanager
async def ringing():
    async with _dialled(_ring, is_connected=False) as call:
        yield call


@asynccontextmanager
async def connected():
    async with _dialled(_answer) as call:
        yield call


@asynccontextmanager
async def held():
    async with _dialled(_answer) as call:
        await call.hold()
        yield call


@asynccontextmanager
async def leaving():
    async with _dialled(_answer) as call:
        call.hangup()
        yield call


@asynccontextmanager
async def ended():
    async with _dialled(_answer) as call:
        call.hangup()
        await call.wait_ended()
        yield call


@asynccontextmanager
async def failed():
    async with World().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        far.respond(await far.expect("INVITE"), 486)
        await call.wait_ended()
        yield call


@asynccontextmanager
async def incoming():
    world = World()
    async with world.client() as caller, world.client("10.0.0.2") as callee:
        with callee.incoming_calls() as calls:
            await caller.create_call(CALLEE).start()
            yield await anext(calls)


@asynccontextmanager
async def closed():
    async with World().client() as client:
        call = client.create_call(CALLEE)
    yield call


MOMENTS = (created, ringing, incoming, connected, held, leaving, ended, failed, closed)


async def _do(operation, call, said: list[str]) -> None:
    try:
        result = OPERATIONS[operation](call)
        if inspect.isawaitable(result):
            await result
    except trivox.TrivoxError as error:
        said.append(str(error))


async def _twice(operation, call, said: list[str], until: trio.CancelScope) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(_do, operation, call, said)
    until.cancel()


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_it_works_or_says_why_not(
    autojump_clock, monkeypatch, tmp_path, operation, moment
) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    async with moment() as call:
        call.user_data = LocalStream("more", ToneSource())
        with trio.fail_after(120):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_twice, operation, call, said, nursery.cancel_scope)
                await trio.sleep(70)
                assert operation in WAITS
                call.hangup()
                await trio.sleep_forever()
            call.hangup()
            await call.wait_ended()
    assert all(len(text) > 10 for text in said), said

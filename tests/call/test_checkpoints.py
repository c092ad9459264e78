"""Every public coroutine of a call is a checkpoint, whatever it finds."""

from __future__ import annotations

import inspect

import pytest
import trio
from trio.testing import assert_checkpoints

from trivox.call.call import Call
from trivox.call.streams import LocalStream
from trivox.media.sources import SilenceSource, ToneSource

from .conftest import Pair

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
ELSEWHERE = {
    "restart_ice": "test_paths",
    "start_screen_sharing": "test_video",
    "stop_screen_sharing": "test_video",
    "start": "here, below",
    "wait_ended": "here, below",
    "answer": "test_trio_rules",
    "progress": "test_trio_rules",
    "transfer": "test_transfer",
    "redirect": "test_redirect",
    "change_identity": "test_identity",
}


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
    for operation in (call.wait_ended, call.aclose):
        with assert_checkpoints():
            await operation()


def test_no_coroutine_is_left_out() -> None:
    public = {
        name
        for name, member in inspect.getmembers(Call)
        if inspect.iscoroutinefunction(member) and not name.startswith("_")
    }
    assert public <= set(ON_A_CONNECTED_CALL) | set(ELSEWHERE), public

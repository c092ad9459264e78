"""A connection that only the far end can open anew is waited for, and not for ever."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from trivox.call.events import Connected, EndReason, Event, Originator
from trivox.call.states import CallState
from trivox.errors import CallReconnectingError


class Both:
    """A caller, a callee, the callee's call, and what it has told."""

    def __init__(self, caller, callee, uri: str) -> None:
        self.caller, self.callee, self.uri = caller, callee, uri
        self.names: list[str] = []
        self.taken = trio.Event()
        self.call = None

    async def handle(self, call) -> None:
        self.call = call
        call.on(Event, lambda event: self.names.append(type(event).__name__))
        self.taken.set()
        if call.destination.startswith("sip:answering@"):
            await call.answer()
        await call.wait_ended()

    def cut(self) -> None:
        """Let the callee's connection with the caller break."""
        exchange = self.callee._wiring.exchange
        (flow, _) = exchange.hop_of(self.call)
        self.callee._wiring.endpoint.close_flow(flow)


@pytest.fixture
def both(world):
    @asynccontextmanager
    async def opened(transport: str = "ws"):
        own = world(transport=transport)
        async with own.client() as caller, own.client("10.0.0.2") as callee:
            it = Both(caller, callee, f"10.0.0.2:5060;transport={transport}")
            async with trio.open_nursery() as nursery:
                await nursery.start(callee.serve, it.handle)
                yield it
                nursery.cancel_scope.cancel()

    return opened


async def test_the_call_is_reconnecting_until_the_far_end_comes_by_a_new_flow(
    autojump_clock, both
) -> None:
    async with both() as it, it.caller.dial(f"sip:answering@{it.uri}") as near:
        await it.call.wait_connected()
        it.cut()
        await trio.sleep(5)
        assert it.call.state.value is CallState.RECONNECTING
        assert near.state.value is CallState.CONNECTED
        with pytest.raises(CallReconnectingError):
            it.call.send_info("text/plain", "?")

        response = await near.send_info("text/plain", "here again").wait()
        assert response.status == 200
        assert it.call.state.value is CallState.CONNECTED
        await trio.sleep(40)
        assert it.call.state.value is CallState.CONNECTED
        assert (await it.call.send_info("text/plain", "!").wait()).status == 200

    assert it.names[-5:] == [
        "Reconnecting", "Reconnected", "InfoReceived", "RemoteMediaRemoved", "Disconnected",
    ]  # fmt: skip


async def test_a_connected_call_is_lost_32_s_after_its_flow(autojump_clock, both) -> None:
    async with both() as it, it.caller.dial(f"sip:answering@{it.uri}"):
        await it.call.wait_connected()
        it.cut()
        before = trio.current_time()
        end = await it.call.wait_ended()

        assert trio.current_time() - before == pytest.approx(32.0, abs=0.1)
        assert (end.reason, end.originator) == (EndReason.CONNECTION_LOST, Originator.SYSTEM)
        assert it.call.state.value is CallState.DISCONNECTED
        await trio.sleep(1)
        assert it.callee.statistics().tokens == 0


async def test_a_call_not_yet_answered_fails_32_s_after_its_flow(autojump_clock, both) -> None:
    async with both() as it:
        call = it.caller.create_call(f"sip:silent@{it.uri}")
        await call.start()
        await it.taken.wait()
        it.cut()
        await trio.sleep(1)
        assert it.call.state.value is CallState.RECONNECTING
        end = await it.call.wait_ended()
        await trio.sleep(1)

        assert it.call.state.value is CallState.FAILED
        assert (end.reason, end.sip_code) == (EndReason.FAILED, 0)
        assert it.names == ["Reconnecting", "Failed"]
        assert it.callee.statistics().tokens == 0


async def test_hanging_up_while_reconnecting_ends_the_call_at_once(autojump_clock, both) -> None:
    async with both() as it, it.caller.dial(f"sip:answering@{it.uri}"):
        await it.call.wait_connected()
        it.cut()
        await trio.sleep(1)
        before = trio.current_time()
        it.call.hangup()
        end = await it.call.wait_ended()

        assert trio.current_time() - before < 1
        assert end.reason is EndReason.LOCAL_ENDED


async def test_a_tcp_connection_that_closes_changes_nothing(autojump_clock, both) -> None:
    async with both("tcp") as it, it.caller.dial(f"sip:answering@{it.uri}") as near:
        await it.call.wait_connected()
        it.cut()
        await trio.sleep(60)

        assert it.call.state.value is CallState.CONNECTED
        assert (await it.call.send_info("text/plain", "!").wait()).status == 200
        assert near.state.value is CallState.CONNECTED
    assert "Reconnecting" not in it.names
    assert Connected.__name__ in it.names

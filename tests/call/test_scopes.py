"""However a program leaves a call, the far end hears of it, and nothing is left behind."""

from __future__ import annotations

import gc
import signal
import weakref

import pytest
import trio

from trivox._native import Message
from trivox.actor.isolation import ListenerErrorPolicy
from trivox.call._endings import end_remotely
from trivox.call.client_events import HandlerFailed
from trivox.call.events import Connected, Disconnected, DtmfReceived, EndReason
from trivox.call.states import CallState, Trigger
from trivox.errors import BusyError, CallEndedError
from trivox.media.engine import EngineEventKind
from trivox.media.sources import SilenceSource
from trivox.testing.far_end import SDP

FAR_URI = "sip:far@10.0.0.9:5060"
OWN_URI = "sip:bot@10.0.0.1:5060"
CALLS = 100


async def stay(call) -> None:
    await call.answer()
    await call.wait_ended()


async def leave_after_a_second(call) -> None:
    await call.answer()
    await call.wait_connected()
    await trio.sleep(1)


async def test_leaving_the_block_hangs_up_and_waits_for_the_end(autojump_clock, world) -> None:
    async with world().with_server(stay) as (client, uri):
        async with client.dial(uri) as call:
            assert call.state.value is CallState.CONNECTED

        assert call.end is not None
        assert call.end.reason is EndReason.LOCAL_ENDED


async def test_leaving_by_an_exception_does_not_wait_and_lets_it_through(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        with pytest.raises(ZeroDivisionError):
            async with call:
                await call.start()
                far.respond(await far.expect("INVITE"), 200, body=SDP)
                await call.wait_connected()
                raise ZeroDivisionError

        assert call.state.value is CallState.DISCONNECTING
        far.respond(await far.expect("BYE"), 200)


async def test_leaving_waits_at_most_the_hangup_timeout(autojump_clock, world) -> None:
    async with world().with_far_end(hangup_timeout=3.0) as (client, far):
        async with client.create_call(FAR_URI) as call:
            await call.start()
            far.respond(await far.expect("INVITE"), 200, body=SDP)
            await call.wait_connected()
            left = trio.current_time()

        assert trio.current_time() - left == pytest.approx(3.0)
        assert call.id in client.calls


async def test_hangup_works_in_a_listener_a_finally_and_a_cancelled_scope(
    autojump_clock, world
) -> None:
    async with world().with_server(stay) as (client, uri):
        one = client.create_call(uri)
        one.on(Connected, lambda event: event.call.hangup())
        await one.start()
        assert (await one.wait_ended()).reason is EndReason.LOCAL_ENDED

        two = client.create_call(uri)
        with trio.CancelScope() as scope:
            try:
                await two.start()
                await two.wait_connected()
                scope.cancel()
                await trio.sleep_forever()
            finally:
                two.hangup()
        assert (await two.wait_ended()).reason is EndReason.LOCAL_ENDED


async def test_dial_raises_what_the_far_end_said(autojump_clock, world) -> None:
    async def handler(call) -> None:
        call.reject(486)

    async with world().with_server(handler) as (client, uri):
        with pytest.raises(BusyError):
            async with client.dial(uri):
                pytest.fail("it was busy")


@pytest.mark.parametrize(
    ("ending", "status"),
    [("return", 480), ("raise", 500), ("cancel", 503)],
)
async def test_a_handler_that_leaves_without_answering_tells_the_caller(
    autojump_clock, world, ending, status
) -> None:
    async with world().with_far_end() as (client, far):

        async def handler(call) -> None:
            if ending == "raise":
                raise ZeroDivisionError
            if ending == "cancel":
                await trio.sleep_forever()

        failures = []
        client.on(HandlerFailed, lambda event: failures.append(event.error))
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, handler)
            far.invite(OWN_URI)
            await trio.sleep(0.1)
            if ending == "cancel":
                nursery.cancel_scope.cancel()
            response = await _final(far)
            nursery.cancel_scope.cancel()

        assert response.status == status
        assert (response.header("Retry-After") is not None) == (status == 503)
        assert [type(error) for error in failures] == (
            [ZeroDivisionError] if ending == "raise" else []
        )


async def _final(far):
    with trio.CancelScope(shield=True):
        while True:
            message = await far.receive()
            if not message.is_request and message.status >= 200:
                return message


async def test_a_caller_who_hangs_up_is_no_failure_of_the_handler(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):

        async def handler(call) -> None:
            await call.answer()
            await call.collect_dtmf(first_timeout=100)

        failures = []
        client.on(HandlerFailed, failures.append)
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, handler)
            far.invite(OWN_URI)
            ok = await far.expect(200)
            far.acknowledge(ok)
            await trio.sleep(1)
            far.hang_up(ok)
            await far.expect(200)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()

        assert failures == []
        assert not client.calls


async def _echo(call) -> None:
    await call.answer()
    audio = call.audio()
    async for frame in audio:  # what was heard before the end can still be read
        await audio.send(frame)
        await trio.sleep(100)


async def _tasks(call) -> None:
    await call.answer()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call.collect_dtmf)
        nursery.start_soon(_echo_on, call)


async def _echo_on(call) -> None:
    audio = call.audio()
    await call.wait_ended()
    await audio.send(bytes(640))


async def _closed_too_early(call) -> None:
    await call.answer()
    audio = call.audio()
    audio.close()
    await call.wait_ended()
    await audio.send(bytes(640))


@pytest.mark.parametrize(
    ("handler", "failed"), [(_echo, False), (_tasks, False), (_closed_too_early, True)]
)
async def test_audio_that_ends_with_its_call_is_no_failure_of_the_handler(
    autojump_clock, world, handler, failed
) -> None:
    """Nor what a nursery makes of it; a port that the program itself has closed is a mistake."""
    async with world().with_far_end() as (client, far):
        failures = []
        client.on(HandlerFailed, failures.append)
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, handler)
            far.invite(OWN_URI)
            ok = await far.expect(200)
            far.acknowledge(ok)
            await trio.sleep(1)
            far.hang_up(ok)
            await far.expect(200)
            await trio.sleep(200)
            nursery.cancel_scope.cancel()

        assert bool(failures) == failed


async def test_missing_media_is_no_failure_of_the_handler(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):

        async def handler(call) -> None:
            await call.answer()
            await call.collect_dtmf(first_timeout=100)

        failures = []
        client.on(HandlerFailed, failures.append)
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, handler)
            far.invite(OWN_URI)
            far.acknowledge(await far.expect(200))
            await trio.sleep(1)
            own.media.sessions._emit(1, EngineEventKind.MEDIA_TIMEOUT, 30.0, "")
            bye = await far.expect("BYE")
            await trio.sleep(1)
            assert not failures  # the BYE is not answered yet
            far.respond(bye, 200)
            await trio.sleep(1)
            nursery.cancel_scope.cancel()

        assert not failures
        assert not client.calls


async def test_a_listener_error_under_fail_call_comes_out_of_the_block(
    autojump_clock, world
) -> None:
    def listener(event) -> None:
        raise ZeroDivisionError

    own = world()
    async with own.client("10.0.0.3", listener_errors=ListenerErrorPolicy.FAIL_CALL) as client:
        async with own.with_server(stay) as (_, uri):
            call = client.create_call(uri)
            call.on(Connected, listener)
            with pytest.raises(ZeroDivisionError):
                async with call:
                    await call.start()
                    await call.wait_ended()


async def test_cancel_on_end_leaves_quietly_or_raises_as_asked(autojump_clock, world) -> None:
    async with world().with_server(leave_after_a_second) as (client, uri):
        async with client.dial(uri) as call:
            async with call.cancel_on_end():
                await trio.sleep_forever()
            assert call.end is not None
        async with client.dial(uri) as call:
            with pytest.raises(CallEndedError):
                async with call.cancel_on_end(error=True):
                    await trio.sleep_forever()


async def test_cancel_on_end_takes_the_news_of_the_end_as_the_end(autojump_clock, world) -> None:
    async with world().with_server(leave_after_a_second) as (client, uri):
        async with client.dial(uri) as call:
            async with call.cancel_on_end(), trio.open_nursery() as nursery:
                nursery.start_soon(call.wait_event, DtmfReceived)
                await call.play(SilenceSource())
        async with client.dial(uri) as other:
            with pytest.raises(CallEndedError):
                async with other.cancel_on_end():
                    call.send_dtmf("1")
            async with other.cancel_on_end():
                other.hangup()
                assert other.end is None
                await other.play(SilenceSource())
            assert other.end is not None


async def test_cancel_on_end_takes_a_closed_port_as_the_end(autojump_clock, world) -> None:
    async with world().with_server(leave_after_a_second) as (client, uri):
        async with client.dial(uri) as call:
            async with call.cancel_on_end():
                audio = call.audio(rate=8000)
                while True:
                    await audio.send(bytes(1600))
            assert call.end is not None
            with pytest.raises(trio.ClosedResourceError):
                await audio.send(bytes(1600))


async def test_waits_are_not_lost_for_a_state_that_lives_less_than_a_turn(
    autojump_clock, world
) -> None:
    async with world().with_server(stay) as (client, uri):
        call = client.create_call(uri)
        call.on(Connected, lambda event: event.call.hangup())
        seen = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_note, call, seen)
            await trio.testing.wait_all_tasks_blocked()
            await call.start()
        assert seen == [CallState.CONNECTED]
        with pytest.raises(CallEndedError):
            await call.is_on_hold.wait_value(True)
        events = [type(event) async for event in call.events()]
        assert events == [Disconnected]


async def _note(call, seen) -> None:
    seen.append(await call.state.wait_value(CallState.CONNECTED))


class _Far:
    """A server that counts how its calls ended."""

    def __init__(self) -> None:
        self.connected = 0
        self.ends = []

    async def handle(self, call) -> None:
        await call.answer()
        await call.wait_connected()
        self.connected += 1
        self.ends.append((await call.wait_ended()).reason)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("how", ["cancel", "exception", "return"])
async def test_a_hundred_calls_left_at_once_are_a_hundred_byes(
    autojump_clock, world, how, transport
) -> None:
    own, far = world(transport=transport), _Far()
    async with own.client("10.0.0.2") as server, trio.open_nursery() as outer:
        await outer.start(server.serve, far.handle)
        try:
            with trio.CancelScope() as scope:
                async with own.client() as client:
                    async with trio.open_nursery() as nursery:
                        for _ in range(CALLS):
                            nursery.start_soon(_dial_and_stay, client, transport, how)
                        while far.connected < CALLS:
                            await trio.sleep(0.1)
                        if how == "cancel":
                            scope.cancel()
                        if how == "exception":
                            raise ZeroDivisionError
        except* ZeroDivisionError:
            pass
        while len(far.ends) < CALLS:
            await trio.sleep(0.1)
        await trio.sleep(70)
        figures = server.statistics()
        outer.cancel_scope.cancel()

    assert far.ends == [EndReason.REMOTE_ENDED] * CALLS
    assert (figures.calls, figures.timers, figures.tokens) == (0, 0, 0)
    assert figures.sip.core["transactions"] == figures.sip.core["dialogs"] == 0
    assert own.engine.counts()["sessions"] == 0


async def _dial_and_stay(client, transport, how) -> None:
    async with client.dial(f"sip:x@10.0.0.2:5060;transport={transport}"):
        await trio.sleep(5 if how == "return" else 1e6)


def test_ctrl_c_hangs_up_a_hundred_calls_over_tcp(world) -> None:
    far = _Far()
    own_world = []
    goodbyes = set()

    def trace(at, direction, flow, local, remote, data) -> None:
        if direction == "in" and data.startswith(b"BYE "):
            goodbyes.add(Message.parse(data).header("Call-ID"))

    async def main() -> None:
        own = world(transport="tcp")
        own_world.append(own)
        async with own.client("10.0.0.2", trace=trace) as server, trio.open_nursery() as outer:
            await outer.start(server.serve, far.handle)
            async with own.client() as client, trio.open_nursery() as nursery:
                for _ in range(CALLS):
                    nursery.start_soon(_dial_and_stay, client, "tcp", "ctrl-c")
                while far.connected < CALLS:
                    await trio.sleep(0.1)
                signal.raise_signal(signal.SIGINT)
                await trio.sleep_forever()

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)) as raised:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    group = raised.value
    assert isinstance(group, KeyboardInterrupt) or group.subgroup(KeyboardInterrupt) is not None
    assert own_world[0].engine.counts()["sessions"] == 0
    assert len(goodbyes) == CALLS


async def test_closing_the_client_tells_waiting_callers_503(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end() as (client, far):
        calls = client.incoming_calls()
        far.invite(OWN_URI)
        await trio.sleep(0.1)

        assert len(client.calls) == 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(client._close)
            assert (await far.expect(503)).header("Retry-After") == "5"
        calls.close()


async def test_drain_refuses_new_calls_and_waits_for_the_others(autojump_clock, world) -> None:
    async def handler(call) -> None:
        await call.answer()
        await call.wait_connected()
        await trio.sleep(10)

    async with world().with_far_end() as (client, far):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, handler)
            far.invite(OWN_URI)
            far.acknowledge(await far.expect(200))
            await trio.sleep(1)
            nursery.start_soon(client.drain)
            await trio.sleep(1)
            far.invite(OWN_URI, call_id="second")
            await far.expect(503)
            far.respond(await far.expect("BYE"), 200)

        assert not client.calls


async def test_an_ended_call_is_collected_without_the_cycle_collector(
    autojump_clock, world
) -> None:
    async with world().with_server(stay) as (client, uri):
        gc.collect()
        gc.disable()
        try:
            seen = []
            call = client.create_call(uri)
            call.on(Connected, seen.append)
            call.state.watch(lambda new, old: None)
            await call.start()
            await call.wait_connected()
            call.send_dtmf("1")
            seen.clear()
            call.hangup()
            await call.wait_ended()
            await trio.sleep(70)
            ended = weakref.ref(call)
            del call
            assert ended() is None
        finally:
            gc.enable()


async def test_a_late_2xx_of_another_branch_is_acknowledged_and_ended(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        async with client.create_call(FAR_URI) as call:
            await call.start()
            invite = await far.expect("INVITE")
            far.respond(invite, 200, body=SDP, to_tag="one")
            await call.wait_connected()
            await far.expect("ACK")
            call.hangup()
            far.respond(await far.expect("BYE"), 200)
            await call.wait_ended()
        assert not client.calls
        far.respond(invite, 200, body=SDP, to_tag="two")

        assert (await far.expect("ACK")).key()[4] == "two"
        bye = await far.expect("BYE")
        far.respond(bye, 200)
        assert bye.key()[4] == "two"
        await trio.sleep(70)
        assert client.statistics().tokens == 0


async def test_dial_enters_with_a_callee_that_hangs_up_at_once(autojump_clock, world) -> None:
    """It was connected, so the block runs; what it does with the call says that it has ended."""

    async def leave(call) -> None:
        await call.answer()
        await call.wait_connected()

    async with world().with_server(leave) as (client, uri):
        async with client.dial(uri) as call:
            await call.wait_ended()
            assert call.end.reason is EndReason.REMOTE_ENDED
            with pytest.raises(CallEndedError):
                await call.wait_connected()


async def test_a_wait_for_the_connection_sees_one_that_is_over_at_once(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        gone = (EndReason.REMOTE_ENDED, 0, None, Trigger.REMOTE_BYE)
        call.on(Connected, lambda _: end_remotely(call, *gone))
        await call.start()
        invite = await far.expect("INVITE")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.wait_connected)
            await trio.testing.wait_all_tasks_blocked()
            far.respond(invite, 200, body=SDP)

        assert call.timings.connected == call.timings.ended
        assert call.state.value is CallState.DISCONNECTED

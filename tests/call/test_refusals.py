"""What a far end refuses with, as the error a program sees; and errors of a program's own listeners."""

from __future__ import annotations

import logging

import pytest
import trio

from trivox.call.client_events import ListenerFailed
from trivox.call.events import Connected, EndReason
from trivox.call.states import CallState
from trivox.errors import (
    BusyError,
    CallFailedError,
    CanceledError,
    ConnectionInterruptedError,
    DeclinedError,
    EngineExhaustedError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from trivox.testing.far_end import FarEnd

NEAR, FAR = ("10.0.0.1", 5060), ("10.0.0.9", 5060)
FAR_URI = "sip:far@10.0.0.9:5060"

REFUSALS = {
    400: CallFailedError,
    403: ForbiddenError,
    404: NotFoundError,
    408: UnavailableError,
    410: CallFailedError,
    480: UnavailableError,
    486: BusyError,
    487: CanceledError,
    500: CallFailedError,
    503: CallFailedError,
    600: BusyError,
    603: DeclinedError,
    604: NotFoundError,
}


@pytest.mark.parametrize(("status", "kind"), REFUSALS.items())
async def test_a_refusal_is_the_error_of_its_status(autojump_clock, world, status, kind) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(FAR_URI)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, status)

        with pytest.raises(CallFailedError) as caught:
            await call.wait_connected()

        assert type(caught.value) is kind
        assert (caught.value.sip_code, caught.value.call_id) == (status, call.id)
        assert call.state.value is CallState.FAILED
        assert call.end is not None
        assert (call.end.reason, call.end.sip_code) == (EndReason.FAILED, status)


async def test_a_failing_listener_is_told_and_hurts_nobody(autojump_clock, world, caplog) -> None:
    caplog.set_level(logging.CRITICAL, "trivox")
    failed: list[ListenerFailed] = []

    async def handler(call) -> None:
        await call.answer()
        await call.wait_ended()

    def fails(event) -> None:
        raise ZeroDivisionError

    async with world().with_server(handler) as (client, uri):
        client.add_event_listener(ListenerFailed, failed.append)
        async with client.dial(uri) as call:
            call.on(Connected, fails)
        async with client.create_call(uri) as other:
            other.on(Connected, fails)
            await other.start()
            await other.wait_connected()

    assert [type(event.error) for event in failed] == [ZeroDivisionError]
    assert failed[0].call is other
    assert failed[0].listener is fails
    assert isinstance(failed[0].event, Connected)


async def test_a_closed_client_places_no_call(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, _):
        call = client.create_call(FAR_URI)

    with pytest.raises(CallFailedError) as caught:
        await call.start()

    assert isinstance(caught.value.__cause__, ConnectionInterruptedError)


async def test_a_call_there_is_no_descriptor_for_is_told_to_come_later(
    autojump_clock, world, caplog, monkeypatch
) -> None:
    """503 with Retry-After (RFC 3261 §21.5.4), and one line of log without a traceback."""

    def nothing_left(*args, **kwargs) -> int:
        raise EngineExhaustedError("cannot bind a media port on 10.0.0.1: too many open files")

    async def handler(call) -> None:
        await call.answer()

    here = world()
    async with here.client(retry_after=7) as client, trio.open_nursery() as nursery:
        monkeypatch.setattr(here.media.sessions, "open_session", nothing_left)
        await nursery.start(client.serve, handler)
        with FarEnd(here.link.host(FAR[0]), FAR, NEAR) as far:
            far.invite("sip:bot@10.0.0.1:5060")
            refusal = await far.expect(503)
        nursery.cancel_scope.cancel()

    assert refusal.header("Retry-After") == "7"
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "too many open files" in line.getMessage()
    assert line.exc_info is None

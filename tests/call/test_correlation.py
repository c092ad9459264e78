"""The code that runs for a call knows which call it is, and so do the log records."""

from __future__ import annotations

import contextvars
import logging

import pytest
import trio

import trivox
from trivox.call.client_events import HandlerFailed, IncomingCall
from trivox.call.events import Connected, Disconnected
from trivox.testing.far_end import SDP

FAR_URI = "sip:far@10.0.0.9:5060"
TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


async def test_a_handler_and_its_tasks_know_their_call_and_not_each_others_variables(
    autojump_clock, world
) -> None:
    seen = []

    async def note(call) -> None:
        seen.append((trivox.call_id.get() == call.id, TENANT.get()))

    async def handle(call) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(note, call)
        TENANT.set(call.id)
        call.reject()

    TENANT.set("server")
    async with world().with_server(handle) as (caller, uri):
        for _ in range(2):
            with pytest.raises(trivox.CallFailedError):
                async with caller.dial(uri):
                    pass

    assert seen == [(True, "server"), (True, "server")]
    assert trivox.call_id.get() == ""


async def test_a_handler_that_starts_when_another_ends_inherits_nothing_of_it(
    autojump_clock, world
) -> None:
    own, seen = world(), []

    async def handle(call) -> None:
        seen.append((trivox.call_id.get() == call.id, TENANT.get()))
        TENANT.set("the first caller")
        await trio.sleep(5)

    async with own.client() as caller, own.client("10.0.0.2") as callee:
        callee.on(IncomingCall, lambda _event: None)  # so that a second call waits
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: callee.serve(handle, max_calls=1))
            await trio.sleep(1)
            for _ in range(2):
                await caller.create_call("sip:bob@10.0.0.2:5060").start()
            await trio.sleep(20)
            nursery.cancel_scope.cancel()

    assert seen == [(True, "nobody"), (True, "nobody")]


@pytest.mark.parametrize("is_async", [False, True])
async def test_listeners_run_in_the_context_the_call_was_created_in(
    autojump_clock, world, is_async
) -> None:
    seen = []

    def note(event) -> None:
        seen.append((trivox.call_id.get(), TENANT.get()))

    async def wait(event) -> None:
        note(event)
        await trio.sleep(0.1)
        note(event)

    async with world().with_far_end() as (client, far):
        TENANT.set("creator")
        call = client.create_call(FAR_URI)
        TENANT.set("later")
        call.on(Connected, wait if is_async else note)
        call.on(Disconnected, note)
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        await call.wait_connected()
        await trio.sleep(1)
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()
        await trio.sleep(1)

    assert seen == [(call.id, "creator")] * (3 if is_async else 2)
    assert trivox.call_id.get() == ""


async def test_log_records_tell_the_call(autojump_clock, world, caplog) -> None:
    failed = []

    async def handle(call) -> None:
        call.on(Connected, lambda _event: 1 / 0)
        await call.answer()
        await call.wait_connected()
        raise ValueError("of the handler")

    own = world()
    with caplog.at_level(logging.DEBUG, logger="trivox"):
        async with own.client() as caller, own.client("10.0.0.2") as callee:
            callee.on(HandlerFailed, lambda event: failed.append(event.call.id))
            async with trio.open_nursery() as nursery:
                await nursery.start(callee.serve, handle)
                async with caller.dial("sip:bob@10.0.0.2:5060") as call:
                    await call.wait_ended()
                nursery.cancel_scope.cancel()

    # A busy machine adds a warning about the time a listener took.
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    told = [(record.name, record.call_id) for record in errors]
    assert told == [("trivox.listeners", failed[0]), ("trivox.serve", failed[0])]

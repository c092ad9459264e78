"""What a program does wrong: refused at once, with a typed error that says what to do."""

from __future__ import annotations

import pytest
import trio

from trivox import CallEvent, ClientEventName, ListenerOptions
from trivox.call.events import Connected, Disconnected, IncomingCall
from trivox.client.client import Client
from trivox.errors import InvalidArgumentsError

FAR = "sip:bob@10.0.0.9"


@pytest.mark.parametrize("event", ["connected", IncomingCall, ClientEventName.INCOMING_CALL, int])
async def test_what_is_no_event_of_a_call_is_refused_where_it_is_given(world, event) -> None:
    async with world().client() as client:
        call = client.create_call(FAR)
        with pytest.raises(InvalidArgumentsError, match=r"give a class such as trivox\.Connected"):
            call.add_event_listener(event, print)
        with pytest.raises(InvalidArgumentsError):
            call.remove_event_listener(event, print)
        with pytest.raises(InvalidArgumentsError):
            call.events(event)
        with pytest.raises(InvalidArgumentsError):
            await call.wait_event(event)


async def test_what_is_no_event_of_a_client_is_refused_where_it_is_given(world) -> None:
    async with world().client() as client:
        with pytest.raises(InvalidArgumentsError, match=r"such as trivox\.IncomingCall"):
            client.add_event_listener(Connected, print)
        with pytest.raises(InvalidArgumentsError):
            client.events(CallEvent.CONNECTED)


async def test_what_cannot_be_called_is_no_listener(world) -> None:
    async with world().client() as client:
        call = client.create_call(FAR)
        with pytest.raises(InvalidArgumentsError, match="give a function"):
            call.add_event_listener(Connected, 5)
        with pytest.raises(InvalidArgumentsError, match="ListenerOptions"):
            call.add_event_listener(Connected, print, {"once": True})
    with pytest.raises(InvalidArgumentsError, match="guard"):
        ListenerOptions(guard=5)
    with pytest.raises(InvalidArgumentsError, match="until"):
        ListenerOptions(until=True)


async def test_on_takes_the_options_as_keywords(world) -> None:
    async with world().client() as client:
        call, seen = client.create_call(FAR), []
        until = trio.Event()
        until.set()
        call.on(Disconnected, seen.append, once=True, guard=lambda event: event.sip_code == 0)
        call.on(CallEvent.DISCONNECTED, lambda _: seen.append("too late"), until=until)

        @call.on(Disconnected, once=True)
        def decorated(event) -> None:
            seen.append("decorated")

        call.hangup()
    assert [type(each).__name__ for each in seen] == ["Disconnected", "str"]
    assert seen[1] == "decorated"


async def test_events_are_read_and_awaited_by_their_enum_names_too(world, autojump_clock) -> None:
    async with world().client() as client, trio.open_nursery() as nursery:
        call = client.create_call(FAR)
        events = call.events(CallEvent.DISCONNECTED, CallEvent.FAILED)
        seen = []

        async def wait() -> None:
            seen.append(await call.wait_event(CallEvent.DISCONNECTED))

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        call.hangup()
        seen += [event async for event in events]
    assert [type(each) for each in seen] == [Disconnected, Disconnected]


async def test_an_error_while_closing_comes_out_as_itself_and_no_task_stays(
    world, monkeypatch
) -> None:
    async def broken(_client: Client) -> None:
        raise RuntimeError("closing failed")

    with pytest.raises(RuntimeError, match="closing failed"):
        async with world().client():
            monkeypatch.setattr(Client, "close", broken)

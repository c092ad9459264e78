"""What a program does wrong: refused at once, with a typed error that says what to do."""

from __future__ import annotations

import pytest
import trio

import trivox
from trivox import AccountConfig, CallEvent, CallState, ClientEventName, ListenerOptions
from trivox.call.client_events import IncomingCall
from trivox.call.events import Connected, Disconnected, DtmfReceived
from trivox.client.client import Client
from trivox.errors import CallFailedError, InvalidArgumentsError, TransportError

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
            monkeypatch.setattr(Client, "_close", broken)


async def test_what_cannot_be_sent_in_a_call_is_refused_and_the_call_goes_on(
    world, autojump_clock
) -> None:
    async def talk(call) -> None:
        await call.answer()
        await call.wait_ended()

    async with world().with_server(talk) as (client, uri), client.dial(uri) as call:
        for tones in ("", "x", ",", 5, None, "1\r\n"):
            with pytest.raises(InvalidArgumentsError, match="characters 0-9"):
                call.send_dtmf(tones)
        with pytest.raises(InvalidArgumentsError, match="auto, rfc4733, info"):
            call.send_dtmf("1", method="bogus")
        for body in ("x" * 60_001, 5, "\ud800"):
            with pytest.raises(InvalidArgumentsError, match=r"body|message"):
                call.send_message(body)
            with pytest.raises(InvalidArgumentsError, match="body"):
                call.send_info("text/plain", body)
        for mime_type in ("nope", 5, "a/b\r\nX: y", "a/b;c=\ud83d"):
            with pytest.raises(InvalidArgumentsError, match="type/subtype"):
                call.send_info(mime_type)
        for headers in ({"X-A": 5}, {"X-A": "a\r\nb"}, {"X A": "b"}, {5: "a"}, "X-A", 5):
            with pytest.raises(InvalidArgumentsError):
                call.hangup(headers)
        with pytest.raises(InvalidArgumentsError, match="content_type"):
            await call.send_request("OPTIONS", body="x")
        for method in ("INVITE", "options", 5):
            with pytest.raises(InvalidArgumentsError):
                await call.send_request(method)
        response = await call.send_info("text/plain", "still here").wait()
        assert response.status == 200


async def test_a_method_of_tones_may_be_named_by_its_text(world, autojump_clock) -> None:
    heard = []

    async def talk(call) -> None:
        await call.answer()
        event = await call.wait_event(DtmfReceived)
        heard.append((event.tone, event.method))
        await call.wait_ended()

    async with world().with_server(talk) as (client, uri), client.dial(uri) as call:
        await call.send_dtmf("1", method="rfc4733").wait()
    assert heard == [("1", "rfc4733")]


async def test_media_arguments_of_no_use_are_refused_and_the_call_goes_on(
    world, autojump_clock
) -> None:
    async def talk(call) -> None:
        await call.answer()
        await call.wait_ended()

    async with world().with_server(talk) as (client, uri), client.dial(uri) as call:
        with pytest.raises(InvalidArgumentsError, match="path of a WAV file"):
            await call.play(5)
        with pytest.raises(InvalidArgumentsError, match="no path"):
            call.recording(5)
        with pytest.raises(InvalidArgumentsError, match=r"no \.mp3 file"):
            call.recording("talk.mp3")
        with pytest.raises(InvalidArgumentsError, match="frame is nan"):
            call.audio(frame=float("nan"))
        for limits in (
            {"max_digits": 0},
            {"max_digits": "2"},
            {"terminators": "x"},
            {"terminators": None},
            {"first_timeout": -1},
            {"inter_digit_timeout": float("nan")},
        ):
            with pytest.raises(InvalidArgumentsError, match=next(iter(limits))):
                await call.collect_dtmf(**limits)
        with call.audio() as audio:
            for samples in ("abc", [1, 2], None):
                with pytest.raises(InvalidArgumentsError, match="bytes of int16"):
                    await audio.send(samples)
            for fade in (-1.0, float("nan")):
                with pytest.raises(InvalidArgumentsError, match="fade"):
                    audio.clear(fade=fade)
        assert call.state.value is CallState.CONNECTED


async def test_watchables_of_calls_clients_and_accounts_cannot_be_set(world) -> None:
    async with world().client(accounts=[AccountConfig("sip:a@b")]) as client:
        call, account = client.create_call(FAR), client.accounts["sip:a@b"]
        for watchable in (call.state, call.is_on_hold, client.state, account.registration):
            with pytest.raises(AttributeError):
                watchable.value = "mine"
            assert not hasattr(watchable, "set")


async def test_a_closed_client_says_so_and_is_not_opened_again(world, autojump_clock) -> None:
    opening = world().client(shutdown_grace=0.1)
    async with opening as client:
        pass

    with pytest.raises(CallFailedError, match="the client is closed: open a new one"):
        await client.create_call(FAR).start()
    with pytest.raises(TransportError, match="the client is closed"):
        await client.request("OPTIONS", FAR)
    assert not client.calls
    with pytest.raises(TransportError, match="call open_client again"):
        async with opening:
            pass


async def test_a_failed_start_that_was_caught_is_not_raised_again_on_leaving(world) -> None:
    async with world().client() as client:
        async with client.create_call("sip:bob@10.0.0.9;transport=sctp") as call:
            with pytest.raises(CallFailedError):
                await call.start()
        assert call.state.value is CallState.FAILED
        assert call.end.error is not None


@pytest.mark.parametrize("method", ["rfc4733", "info"])
async def test_tones_are_sent_at_the_pace_of_keys_and_not_without_end(
    world, autojump_clock, method
) -> None:
    async def talk(call) -> None:
        await call.answer()
        await call.wait_ended()

    async with world().with_server(talk) as (client, uri), client.dial(uri) as call:
        for pace in ({"duration": -1}, {"duration": float("nan")}, {"gap": 1e9}, {"gap": 0}):
            with pytest.raises(InvalidArgumentsError, match="tone"):
                call.send_dtmf("1", method=method, **pace)
    async with world().with_server(talk) as (client, uri), client.dial(uri) as call:
        call.send_dtmf("1" * 1000, method="info")
        with pytest.raises(InvalidArgumentsError, match="wait until some are"):
            call.send_dtmf("1" * 100, method="info")


def test_each_event_of_a_client_and_of_a_call_has_a_name() -> None:
    for base, names in ((trivox.ClientEvent, ClientEventName), (trivox.Event, CallEvent)):
        kinds = {one for one in vars(trivox).values() if isinstance(one, type)}
        assert {kind for kind in kinds if issubclass(kind, base) and kind is not base} == {
            name.value for name in names
        }


async def test_a_closed_client_ends_who_waits_for_it_and_keeps_nobody(
    world, autojump_clock
) -> None:
    seen: list[str] = []

    async def wait(name: str, wish) -> None:
        try:
            await wish()
        except (StopAsyncIteration, TransportError) as error:
            seen.append(f"{name} {type(error).__name__}")

    def wishes(client):
        (account,) = client.accounts.values()
        events, calls = client.events(), client.incoming_calls()
        return {
            "events": lambda: anext(events),
            "calls": lambda: anext(calls),
            "state": lambda: client.state.wait_value("never"),
            "registration": lambda: account.registration.wait_value("never"),
        }

    async with trio.open_nursery() as nursery:
        async with world().client(accounts=[AccountConfig("sip:a@10.0.0.9")]) as client:
            for name, wish in wishes(client).items():
                nursery.start_soon(wait, name, wish)
            await trio.testing.wait_all_tasks_blocked()
    for name, wish in wishes(client).items():
        await wait(name, wish)

    assert sorted(seen) == sorted(
        2
        * [
            "events StopAsyncIteration",
            "calls StopAsyncIteration",
            "state ConnectionInterruptedError",
            "registration ConnectionInterruptedError",
        ]
    )

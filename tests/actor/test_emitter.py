"""Subscriptions and single waits: fed at emission, weakly held, bounded, ended by the last event."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from trivox.actor.emitter import Emitter
from trivox.actor.isolation import Isolation
from trivox.actor.mailbox import Overflow
from trivox.actor.supervisor import Supervisor
from trivox.errors import EventOverflowError


@dataclass(frozen=True)
class Event:
    name: str = ""


@dataclass(frozen=True)
class Tone(Event):
    pass


@dataclass(frozen=True)
class Ended(Event):
    pass


def _no_task(*_args: object, **_kwargs: object) -> None:
    raise AssertionError("no task is needed")


@pytest.fixture
def emitter() -> Emitter[Event]:
    return Emitter(isolation=Isolation(), start_soon=_no_task)


async def test_a_subscription_is_fed_from_its_creation_on(emitter: Emitter[Event]) -> None:
    events = emitter.subscribe()
    emitter.emit(Event("before the first anext"))
    emitter.finish(Ended())

    assert [event async for event in events] == [Event("before the first anext"), Ended()]


async def test_a_subscription_takes_only_its_kinds_and_still_ends(emitter: Emitter[Event]) -> None:
    events = emitter.subscribe(Tone)
    emitter.emit(Event("other"))
    emitter.emit(Tone("1"))
    emitter.finish(Ended())

    assert [event async for event in events] == [Tone("1")]


async def test_subscribing_after_the_end_yields_the_last_event_once(
    emitter: Emitter[Event],
) -> None:
    emitter.finish(Ended())
    emitter.emit(Event("too late"))

    assert [event async for event in emitter.subscribe()] == [Ended()]


async def test_breaking_out_of_a_subscription_leaks_nothing(emitter: Emitter[Event]) -> None:
    alive = []

    async def read() -> None:
        events = emitter.subscribe()
        alive.append(weakref.ref(events))
        emitter.emit(Event())
        async for _ in events:
            break

    await read()

    assert alive[0]() is None
    assert not emitter.wants(Event)


async def test_a_slow_reader_is_told_and_goes_on_with_what_it_has(
    emitter: Emitter[Event],
) -> None:
    events = emitter.subscribe(max_waiting=2)
    for name in "abcd":
        emitter.emit(Event(name))
    emitter.finish(Ended())

    with pytest.raises(EventOverflowError) as caught:
        await anext(events)

    assert (caught.value.lost, events.lost) == (2, 2)
    assert [event async for event in events] == [Event("a"), Event("b"), Ended()]


async def test_drop_oldest_keeps_the_newest(emitter: Emitter[Event]) -> None:
    events = emitter.subscribe(max_waiting=2, overflow=Overflow.DROP_OLDEST)
    for name in "abc":
        emitter.emit(Event(name))

    assert [await anext(events), await anext(events)] == [Event("b"), Event("c")]


async def test_coalesce_drops_the_oldest_of_the_same_type(emitter: Emitter[Event]) -> None:
    events = emitter.subscribe(max_waiting=2, overflow=Overflow.COALESCE)
    for event in (Event("a"), Tone("1"), Tone("2")):
        emitter.emit(event)

    assert [await anext(events), await anext(events)] == [Event("a"), Tone("2")]


async def test_closing_lets_a_waiting_reader_go(emitter: Emitter[Event]) -> None:
    ended = []
    with emitter.subscribe() as events:

        async def read() -> None:
            ended.append([event async for event in events])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            events.close()

    assert ended == [[]]


async def test_a_subscription_is_an_asynchronous_context_manager_too(
    emitter: Emitter[Event],
) -> None:
    with trio.testing.assert_checkpoints():
        async with emitter.subscribe() as events:
            emitter.emit(Event())
    assert [event async for event in events] == []


async def test_reading_what_waits_is_a_checkpoint_and_cancellation_loses_nothing(
    emitter: Emitter[Event],
) -> None:
    events = emitter.subscribe()
    emitter.emit(Event("a"))

    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(events)
    with trio.testing.assert_checkpoints():
        assert await anext(events) == Event("a")


async def test_waiting_for_an_event_is_fed_at_emission(emitter: Emitter[Event]) -> None:
    found = []

    async def wait() -> None:
        found.append(await emitter.wait(Tone, guard=lambda event: event.name == "2"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert emitter.wants(Tone)
        for name in "123":
            emitter.emit(Tone(name))
        emitter.finish(Ended())

    assert found == [Tone("2")]


async def test_waiting_for_what_never_came_ends_with_the_last_event(
    emitter: Emitter[Event],
) -> None:
    async def wait() -> None:
        with pytest.raises(trio.EndOfChannel):
            await emitter.wait(Tone)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        emitter.finish(Ended())
    with pytest.raises(trio.EndOfChannel), trio.testing.assert_checkpoints():
        await emitter.wait(Ended)


async def test_a_guard_that_raises_raises_in_the_waiting_task(emitter: Emitter[Event]) -> None:
    async def wait() -> None:
        with pytest.raises(ZeroDivisionError):
            await emitter.wait(guard=lambda event: 1 // len(event.name) > 0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        emitter.emit(Event(""))


async def test_a_cancelled_wait_leaves_nothing_behind(emitter: Emitter[Event]) -> None:
    with trio.move_on_after(0):
        await emitter.wait()

    assert not emitter.wants(Event)


async def test_a_listener_that_waits_for_a_later_event_gets_it() -> None:
    found = []
    async with Supervisor() as supervisor:
        emitter: Emitter[Event] = Emitter(isolation=Isolation(), start_soon=supervisor.start_soon)

        async def listener(event: Event) -> None:
            if event.name == "first":
                found.append(await emitter.wait(Tone))

        emitter.listeners.add(Event, listener)
        emitter.emit(Event("first"))
        await trio.testing.wait_all_tasks_blocked()
        emitter.emit(Tone("later"))
        await emitter.listeners.wait_idle()

    assert found == [Tone("later")]


async def test_subscriptions_hear_an_event_before_listeners(emitter: Emitter[Event]) -> None:
    events = emitter.subscribe()
    waiting = []
    emitter.listeners.add(Event, lambda _event: waiting.append(len(events._mailbox)))

    emitter.emit(Event())

    assert waiting == [1]

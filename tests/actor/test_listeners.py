"""Listeners: order, options, the dispatcher, bounds and the error policy."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from trivox.actor.isolation import Isolation, ListenerErrorPolicy
from trivox.actor.listeners import Listeners
from trivox.actor.registry import ListenerOptions
from trivox.actor.supervisor import Supervisor


@dataclass(frozen=True)
class Event:
    name: str = ""


@dataclass(frozen=True)
class Rung(Event):
    pass


@dataclass(frozen=True)
class Report(Event):
    pass


def _no_task(*_args: object, **_kwargs: object) -> None:
    raise AssertionError("synchronous listeners need no task")


def _inline(**options: object) -> Listeners[Event]:
    return Listeners(isolation=Isolation(), start_soon=_no_task, **options)


def test_synchronous_listeners_are_called_inline_in_registration_order() -> None:
    listeners, seen = _inline(), []
    listeners.add(Event, lambda event: seen.append(("first", event.name)))
    listeners.add(Rung, lambda event: seen.append(("second", event.name)))

    listeners.emit(Rung("a"))
    listeners.emit(Event("b"))

    assert seen == [("first", "a"), ("second", "a"), ("first", "b")]


def test_the_same_pair_twice_is_one_registration() -> None:
    listeners, seen = _inline(), []
    listeners.add(Event, seen.append)
    listeners.add(Event, seen.append)

    listeners.emit(Event("a"))
    listeners.remove(Event, seen.append)
    listeners.remove(Event, seen.append)
    listeners.emit(Event("b"))

    assert seen == [Event("a")]


def test_events_emitted_by_a_listener_queue_behind_the_one_under_way() -> None:
    listeners, seen = _inline(), []

    def first(event: Event) -> None:
        seen.append(("first", event.name))
        if event.name == "a":
            listeners.emit(Event("b"))

    listeners.add(Event, first)
    listeners.add(Event, lambda event: seen.append(("second", event.name)))
    listeners.emit(Event("a"))

    assert seen == [("first", "a"), ("second", "a"), ("first", "b"), ("second", "b")]


def test_a_listener_added_during_dispatch_does_not_see_the_event_in_flight() -> None:
    listeners, seen = _inline(), []
    listeners.add(Event, lambda _event: listeners.add(Event, seen.append) and None)

    listeners.emit(Event("a"))
    assert seen == []
    listeners.emit(Event("b"))
    assert seen == [Event("b")]


def test_a_listener_removed_during_dispatch_is_not_called() -> None:
    listeners, seen = _inline(), []
    listeners.add(Event, lambda _event: listeners.remove(Event, seen.append))
    listeners.add(Event, seen.append)

    listeners.emit(Event("a"))

    assert seen == []


def test_the_guard_is_asked_before_once_is_consumed() -> None:
    listeners, seen = _inline(), []
    options = ListenerOptions(once=True, guard=lambda event: event.name == "b")
    listeners.add(Event, seen.append, options)

    for name in "abb":
        listeners.emit(Event(name))

    assert seen == [Event("b")]


def test_once_is_consumed_before_the_call() -> None:
    listeners, seen = _inline(), []

    def again(event: Event) -> None:
        seen.append(event)
        listeners.emit(event)

    listeners.add(Event, again, ListenerOptions(once=True))
    listeners.emit(Event("a"))

    assert seen == [Event("a")]


def test_a_handle_removes_by_leaving_its_block() -> None:
    listeners, seen = _inline(), []
    with listeners.add(Event, seen.append) as handle:
        listeners.emit(Event("a"))
    handle.remove()
    listeners.emit(Event("b"))

    assert seen == [Event("a")]
    assert not listeners.wants(Event)


def test_nobody_wants_what_nobody_listens_to() -> None:
    listeners = _inline()
    listeners.add(Rung, print)

    assert listeners.wants(Rung)
    assert not listeners.wants(Report)


async def test_a_listener_is_gone_once_its_until_is_set() -> None:
    listeners, seen, until = _inline(), [], trio.Event()
    listeners.add(Event, seen.append, ListenerOptions(until=until))

    listeners.emit(Event("a"))
    until.set()
    listeners.emit(Event("b"))

    assert seen == [Event("a")]


def test_an_error_is_reported_and_the_others_still_run() -> None:
    failed, seen = [], []
    isolation = Isolation(failed=lambda _listener, event, error: failed.append((event, error)))
    listeners: Listeners[Event] = Listeners(isolation=isolation, start_soon=_no_task)
    error = ValueError("no")

    def bad(_event: Event) -> None:
        raise error

    listeners.add(Event, bad)
    listeners.add(Event, seen.append)
    listeners.emit(Event("a"))

    assert failed == [(Event("a"), error)]
    assert seen == [Event("a")]


def test_fail_call_hangs_up_with_the_error() -> None:
    ended: list[Exception] = []
    isolation = Isolation(policy=ListenerErrorPolicy.FAIL_CALL, fail_call=ended.append)
    listeners: Listeners[Event] = Listeners(isolation=isolation, start_soon=_no_task)
    listeners.add(Event, lambda event: 1 // len(event.name))

    listeners.emit(Event(""))

    assert [type(error) for error in ended] == [ZeroDivisionError]


def test_a_group_is_split_and_only_its_exceptions_end_here() -> None:
    failed: list[BaseException] = []
    isolation = Isolation(failed=lambda _listener, _event, error: failed.append(error))
    listeners: Listeners[Event] = Listeners(isolation=isolation, start_soon=_no_task)

    def bad(_event: Event) -> None:
        raise BaseExceptionGroup("both", [ValueError("ours"), KeyboardInterrupt()])

    listeners.add(Event, bad)
    with pytest.raises(BaseExceptionGroup) as caught:
        listeners.emit(Event())

    assert caught.group_contains(KeyboardInterrupt)
    assert not caught.group_contains(ValueError)
    assert isinstance(failed[0], ExceptionGroup)


async def test_raise_ends_the_owner_with_the_error() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Supervisor() as supervisor:
            isolation = Isolation(policy=ListenerErrorPolicy.RAISE, crash=supervisor.crash)
            listeners: Listeners[Event] = Listeners(isolation=isolation, start_soon=_no_task)
            listeners.add(Event, lambda event: 1 // len(event.name))
            listeners.emit(Event(""))
            await trio.sleep_forever()


async def test_an_asynchronous_listener_is_awaited_before_the_next_and_the_next_event(
    autojump_clock: trio.testing.MockClock,
) -> None:
    seen: list[tuple[str, str]] = []
    async with Supervisor() as supervisor:
        listeners: Listeners[Event] = Listeners(
            isolation=Isolation(), start_soon=supervisor.start_soon
        )

        async def slow(event: Event) -> None:
            seen.append(("slow begins", event.name))
            await trio.sleep(1)
            seen.append(("slow ends", event.name))

        listeners.add(Event, lambda event: seen.append(("before", event.name)))
        listeners.add(Event, slow)
        listeners.add(Event, lambda event: seen.append(("after", event.name)))
        listeners.emit(Event("a"))
        listeners.emit(Event("b"))
        assert seen == [("before", "a")]
        await listeners.wait_idle()

    order = ("before", "slow begins", "slow ends", "after")
    assert seen == [(step, name) for name in "ab" for step in order]
    assert trio.current_time() == 2


async def test_one_dispatcher_serves_many_events() -> None:
    names: list[str] = []
    async with Supervisor() as supervisor:
        listeners: Listeners[Event] = Listeners(
            isolation=Isolation(), start_soon=supervisor.start_soon
        )

        async def listener(_event: Event) -> None:
            await trio.lowlevel.checkpoint()
            names.append(str(id(trio.lowlevel.current_task())))

        listeners.add(Event, listener)
        for _ in range(3):
            listeners.emit(Event())
            await listeners.wait_idle()

    assert len(names) == 3
    assert len(set(names)) == 1


async def test_concurrent_listeners_do_not_hold_up_later_ones(
    autojump_clock: trio.testing.MockClock,
) -> None:
    done: list[float] = []
    async with Supervisor() as supervisor:
        listeners: Listeners[Event] = Listeners(
            isolation=Isolation(), start_soon=supervisor.start_soon
        )

        async def slow(_event: Event) -> None:
            await trio.sleep(1)
            done.append(trio.current_time())

        listeners.add(Event, slow, ListenerOptions(concurrent=True))
        listeners.emit(Event("a"))
        listeners.emit(Event("b"))
        await listeners.wait_idle()

    assert done == [1, 1]


async def test_contexts_are_the_owners_or_for_concurrent_ones_the_registrars() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    owner = contextvars.copy_context()
    owner.run(variable.set, "owner")
    seen: list[tuple[str, str]] = []

    async def listener(event: Event) -> None:
        await trio.lowlevel.checkpoint()
        seen.append((event.name, variable.get()))

    async with Supervisor() as supervisor:
        listeners: Listeners[Event] = Listeners(
            isolation=Isolation(), start_soon=supervisor.start_soon, context=owner
        )
        listeners.add(Event, lambda event: seen.append((event.name + " sync", variable.get())))
        listeners.add(Event, listener)
        listeners.emit(Event("a"))
        await listeners.wait_idle()
        listeners.remove(Event, listener)
        variable.set("registrar")
        listeners.add(Event, listener, ListenerOptions(concurrent=True))
        variable.set("later")
        listeners.emit(Event("b"))
        await trio.testing.wait_all_tasks_blocked()

    assert seen == [
        ("a sync", "owner"), ("a", "owner"), ("b sync", "owner"), ("b", "registrar"),
    ]  # fmt: skip


async def test_a_listener_may_wait_for_idleness_without_waiting_for_itself() -> None:
    done = trio.Event()
    async with Supervisor() as supervisor:
        listeners: Listeners[Event] = Listeners(
            isolation=Isolation(), start_soon=supervisor.start_soon
        )

        async def listener(_event: Event) -> None:
            await listeners.wait_idle()
            done.set()

        listeners.add(Event, listener)
        listeners.emit(Event())
        with trio.fail_after(1):
            await done.wait()


async def test_cancelling_the_registrar_does_not_cancel_the_listener() -> None:
    done = trio.Event()
    async with Supervisor() as supervisor:
        listeners: Listeners[Event] = Listeners(
            isolation=Isolation(), start_soon=supervisor.start_soon
        )

        async def listener(_event: Event) -> None:
            await trio.lowlevel.checkpoint()
            done.set()

        with trio.CancelScope() as scope:
            listeners.add(Event, listener)
            scope.cancel()
            await trio.lowlevel.checkpoint()
        listeners.emit(Event())
        with trio.fail_after(1):
            await done.wait()


async def test_over_the_bound_reports_go_first_and_the_last_event_is_never_dropped() -> None:
    lost: list[Event] = []
    seen: list[str] = []
    release = trio.Event()
    async with Supervisor() as supervisor:
        listeners: Listeners[Event] = Listeners(
            isolation=Isolation(),
            start_soon=supervisor.start_soon,
            limit=2,
            droppable=(Report,),
            overflowed=lost.append,
        )

        async def slow(event: Event) -> None:
            seen.append(event.name)
            await release.wait()

        listeners.add(Event, slow)
        for event in (Event("1"), Report("r"), Event("2"), Event("3"), Event("4"), Report("s")):
            listeners.emit(event)
        listeners.emit(Event("last"), is_last=True)
        listeners.emit(Event("too late"))
        release.set()
        await listeners.wait_idle()

    assert seen == ["1", "2", "3", "last"]
    assert lost == [Event("4")]
    assert listeners.dropped == 3


async def test_after_the_last_event_nobody_is_registered_and_no_task_is_left() -> None:
    async with Supervisor() as supervisor:
        listeners: Listeners[Event] = Listeners(
            isolation=Isolation(), start_soon=supervisor.start_soon
        )

        async def listener(_event: Event) -> None:
            await trio.lowlevel.checkpoint()

        listeners.add(Event, listener)
        listeners.emit(Event(), is_last=True)
        await listeners.wait_idle()
        await trio.testing.wait_all_tasks_blocked()

        assert not listeners.wants(Event)
        assert listeners._dispatcher is None

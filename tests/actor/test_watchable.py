"""Watchables: order, waits, iterators, maps, and the traps that were measured."""

from __future__ import annotations

import gc
import logging
import weakref

import pytest
import trio
import trio.testing

from trivox.actor.isolation import Isolation
from trivox.actor.observers import WatchOptions
from trivox.actor.watchable import ReadonlyWatchable, Watchable
from trivox.errors import CallEndedError, EventOverflowError, InvalidArgumentsError


def test_a_readonly_watchable_cannot_be_set() -> None:
    with pytest.raises(AttributeError):
        ReadonlyWatchable(1).value = 2  # type: ignore[misc]


def test_the_truth_of_a_watchable_is_an_error_that_says_what_to_write() -> None:
    with pytest.raises(TypeError, match="value"):
        bool(Watchable(False))


def test_an_unobserved_watchable_allocates_no_observers() -> None:
    watchable = Watchable(1)
    watchable.set(2)

    assert (watchable.value, watchable.old_value) == (2, 1)
    assert watchable._observers is None


def test_equal_values_are_no_change() -> None:
    watchable = Watchable(frozenset({1}))
    seen: list[object] = []
    watchable.watch(lambda new, _old: seen.append(new))

    watchable.set(frozenset({1}))

    assert seen == []


def test_callbacks_run_in_order_with_new_and_old() -> None:
    watchable = Watchable("a")
    seen: list[tuple[str, str, str]] = []
    watchable.watch(lambda new, old: seen.append(("first", new, old)))
    watchable.watch(lambda new, old: seen.append(("second", new, old)))

    watchable.value = "b"

    assert seen == [("first", "b", "a"), ("second", "b", "a")]


def test_a_change_made_by_a_callback_is_told_breadth_first() -> None:
    watchable = Watchable(0)
    seen: list[tuple[str, int]] = []

    def first(new: int, _old: int) -> None:
        seen.append(("first", new))
        if new == 1:
            watchable.set(2)

    watchable.watch(first)
    watchable.watch(lambda new, _old: seen.append(("second", new)))

    watchable.set(1)

    assert seen == [("first", 1), ("second", 1), ("first", 2), ("second", 2)]


def test_bound_methods_are_one_registration_and_can_be_removed() -> None:
    class Owner:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def see(self, new: int, _old: int) -> None:
            self.seen.append(new)

    owner, watchable = Owner(), Watchable(0)
    watchable.watch(owner.see)
    watchable.watch(owner.see)

    watchable.set(1)
    watchable.unwatch(owner.see)
    watchable.set(2)

    assert owner.seen == [1]


def test_watch_returns_what_stops_it_and_clear_spares_the_unclearable() -> None:
    watchable, seen = Watchable(0), []
    stop = watchable.watch(lambda new, _old: seen.append(("stopped", new)))
    watchable.watch(lambda new, _old: seen.append(("cleared", new)))
    watchable.watch(lambda new, _old: seen.append(("kept", new)), WatchOptions(clearable=False))

    stop()
    watchable.clear()
    watchable.set(1)

    assert seen == [("kept", 1)]


def test_the_guard_comes_before_once_is_consumed() -> None:
    watchable, seen = Watchable(0), []
    watchable.watch(
        lambda new, _old: seen.append(new), WatchOptions(once=True, guard=lambda new, _old: new > 1)
    )

    for value in (1, 2, 3):
        watchable.set(value)

    assert seen == [2]


def test_once_is_consumed_before_the_call_so_that_a_change_inside_is_not_seen() -> None:
    watchable, seen = Watchable(0), []

    def change_again(new: int, _old: int) -> None:
        seen.append(new)
        watchable.set(new + 1)

    watchable.watch(change_again, WatchOptions(once=True))
    watchable.set(1)

    assert seen == [1]


def test_immediate_calls_back_inside_watch_and_counts_for_once() -> None:
    watchable, seen = Watchable(7), []
    watchable.watch(lambda new, _old: seen.append(new), WatchOptions(immediate=True, once=True))

    watchable.set(8)

    assert seen == [7]


def test_a_callback_that_raises_hurts_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    failed: list[object] = []
    isolation = Isolation(failed=lambda callback, _event, error: failed.append((callback, error)))
    watchable, seen = Watchable(0, isolation=isolation), []
    error = ValueError("no")

    def bad(_new: int, _old: int) -> None:
        raise error

    watchable.watch(bad)
    watchable.watch(lambda new, _old: seen.append(new))
    watchable.set(1)

    assert (seen, failed) == ([1], [(bad, error)])
    assert caplog.records[0].levelno == logging.ERROR


def test_an_asynchronous_callback_is_refused() -> None:
    async def callback(_new: int, _old: int) -> None: ...

    with pytest.raises(InvalidArgumentsError, match="changes"):
        Watchable(0).watch(callback)


async def test_wait_value_that_matches_now_returns_and_is_a_checkpoint() -> None:
    with trio.testing.assert_checkpoints():
        assert await Watchable(3).wait_value(3) == 3


async def test_wait_transition_is_a_checkpoint_also_when_the_next_change_is_near() -> None:
    watchable = Watchable(3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_set_next_turn, watchable)
        with trio.testing.assert_checkpoints():
            assert await watchable.wait_transition() == (4, 3)


async def _set_next_turn(watchable: Watchable[int]) -> None:
    await trio.lowlevel.checkpoint()
    watchable.set(4)


async def test_wait_value_does_not_miss_a_value_shorter_than_a_turn() -> None:
    watchable, found = Watchable("created"), []

    async def wait() -> None:
        found.append(await watchable.wait_value("connected"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        watchable.set("connected")
        watchable.set("ended")

    assert found == ["connected"]


async def test_wait_value_accepts_a_predicate_and_returns_what_matched() -> None:
    watchable = Watchable(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_later, watchable, 5)
        assert await watchable.wait_value(lambda value: value > 3) == 5


async def test_an_error_in_a_predicate_goes_to_the_one_who_waits() -> None:
    watchable = Watchable(1)

    async def wait() -> None:
        with pytest.raises(ZeroDivisionError):
            await watchable.wait_value(lambda value: 1 // value > 5)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        watchable.set(0)


async def test_wait_transition_does_not_count_the_present_value() -> None:
    watchable = Watchable(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_later, watchable, 2, 1)
        assert await watchable.wait_transition(lambda new, _old: new == 1) == (1, 2)


async def test_a_cancelled_wait_leaves_nothing_behind() -> None:
    watchable = Watchable(1)
    with trio.move_on_after(0):
        await watchable.wait_value(2)

    assert watchable.observers().taps == {}


async def test_held_for_starts_anew_after_a_break(autojump_clock: trio.testing.MockClock) -> None:
    watchable = Watchable(True)
    began = trio.current_time()

    async def flicker() -> None:
        await trio.sleep(3)
        watchable.set(False)
        watchable.set(True)  # within one turn: a break nevertheless

    async with trio.open_nursery() as nursery:
        nursery.start_soon(flicker)
        assert await watchable.wait_value(True, held_for=5) is True

    assert trio.current_time() - began == 8


async def test_held_for_returns_the_newest_matching_value(
    autojump_clock: trio.testing.MockClock,
) -> None:
    watchable = Watchable(5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_later, watchable, 6)
        assert await watchable.wait_value(lambda value: value > 4, held_for=2) == 6


async def test_closing_ends_waits_that_did_not_match_with_the_error() -> None:
    watchable, ended = Watchable("connected"), []

    async def wait(value: str, held_for: float) -> None:
        with pytest.raises(CallEndedError):
            await watchable.wait_value(value, held_for=held_for)
        ended.append(value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "held", 0)
        nursery.start_soon(wait, "held for long", 2)
        await trio.testing.wait_all_tasks_blocked()
        watchable.set("ended")
        watchable.close(CallEndedError())

    assert sorted(ended) == ["held", "held for long"]
    assert await watchable.wait_value("ended") == "ended"
    assert await watchable.wait_value("ended", held_for=60) == "ended"
    with pytest.raises(CallEndedError), trio.testing.assert_checkpoints():
        await watchable.wait_value("connected")


async def test_changes_skips_to_the_newest_value_and_ends_when_closed() -> None:
    watchable = Watchable(0)
    changes = watchable.changes()
    watchable.set(1)
    watchable.set(2)
    assert await anext(changes) == 2

    watchable.set(3)
    watchable.close(CallEndedError())

    assert [value async for value in changes] == [3]


async def test_changes_can_begin_with_the_present_value() -> None:
    assert await anext(Watchable(4).changes(initial=True)) == 4


async def test_changes_that_went_back_are_no_change() -> None:
    watchable = Watchable(0)
    changes = watchable.changes()
    watchable.set(1)
    watchable.set(0)

    with trio.move_on_after(0) as scope:
        await anext(changes)

    assert scope.cancelled_caught


async def test_transitions_yields_every_step() -> None:
    watchable = Watchable(0)
    steps = watchable.transitions()
    watchable.set(1)
    watchable.set(2)
    watchable.close(CallEndedError())

    assert [step async for step in steps] == [(1, 0), (2, 1)]


async def test_transitions_tells_a_slow_reader_what_it_lost() -> None:
    watchable = Watchable(0)
    steps = watchable.transitions(maxsize=2)
    for value in range(1, 5):
        watchable.set(value)

    with pytest.raises(EventOverflowError) as caught:
        await anext(steps)

    assert caught.value.lost == 2
    assert await anext(steps) == (1, 0)


def test_a_dropped_iterator_is_forgotten_at_once() -> None:
    watchable = Watchable(0)
    changes = watchable.changes()
    alive = weakref.ref(changes)
    del changes

    watchable.set(1)

    assert alive() is None
    assert watchable.observers().readers == []


async def test_a_map_follows_its_source_and_skips_equal_results() -> None:
    watchable, seen = Watchable(1), []
    even = watchable.map(lambda value: value % 2 == 0)
    assert even.value is False
    even.watch(lambda new, old: seen.append((new, old)))

    for value in (3, 4, 6, 7):
        watchable.set(value)

    assert seen == [(True, False), (False, True)]
    assert even.value is False


async def test_waiting_on_a_map_ends_with_its_source() -> None:
    watchable = Watchable(1)
    doubled = watchable.map(lambda value: value * 2)

    async def wait() -> None:
        with pytest.raises(CallEndedError):
            await doubled.wait_value(10)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        assert await doubled.wait_value(2) == 2
        await trio.testing.wait_all_tasks_blocked()
        watchable.close(CallEndedError())


def test_an_observed_watchable_is_freed_without_the_collector() -> None:
    gc.disable()
    try:
        watchable = Watchable(1)
        watchable.watch(lambda _new, _old: None)
        alive = weakref.ref(watchable)
        del watchable
        assert alive() is None
    finally:
        gc.enable()


async def _later(watchable: Watchable[int], *values: int) -> None:
    await trio.testing.wait_all_tasks_blocked()
    for value in values:
        watchable.set(value)

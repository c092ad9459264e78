"""The supervisor: tasks outlive what happens to the body, and one error comes out as itself."""

from __future__ import annotations

import contextvars
import signal

import pytest
import trio
import trio.testing

from trivox.actor.supervisor import Supervisor


async def test_an_exception_of_the_body_comes_out_unwrapped() -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError) as caught:
        async with Supervisor() as supervisor:
            supervisor.start_soon(trio.sleep_forever)
            raise error

    assert caught.value is error
    assert error.__context__ is None


async def test_a_group_the_body_raises_stays_as_it_is() -> None:
    group = ExceptionGroup("mine", [ValueError()])
    with pytest.raises(ExceptionGroup) as caught:
        async with Supervisor():
            raise group

    assert caught.value is group


async def test_a_crash_of_a_task_cancels_the_body_and_comes_out_unwrapped() -> None:
    async def crash() -> None:
        raise ZeroDivisionError

    cancelled = []
    with pytest.raises(ZeroDivisionError):
        async with Supervisor() as supervisor:
            supervisor.start_soon(crash)
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                cancelled.append(True)
                raise

    assert cancelled == [True]


async def test_a_crash_and_an_error_of_the_body_come_out_as_a_group() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with Supervisor() as supervisor:
            supervisor.crash(KeyError("task"))
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("body")

    assert caught.group_contains(KeyError)
    assert caught.group_contains(ValueError)


async def test_an_outer_cancellation_reaches_the_body_and_not_the_tasks() -> None:
    order = []

    async def worker() -> None:
        try:
            await trio.sleep_forever()
        finally:
            order.append("task ends")

    with trio.move_on_after(0) as scope:
        async with Supervisor() as supervisor:
            supervisor.start_soon(worker)
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.testing.wait_all_tasks_blocked()
                order.append("body says goodbye")

    assert order == ["body says goodbye", "task ends"]
    assert scope.cancelled_caught


async def test_entering_in_a_cancelled_scope_still_leaves_cleanly() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        async with Supervisor() as supervisor:
            supervisor.start_soon(trio.sleep_forever)
            await trio.lowlevel.checkpoint()

    assert scope.cancelled_caught


async def test_leaving_stops_all_tasks() -> None:
    ended = trio.Event()

    async def worker() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with Supervisor() as supervisor:
        supervisor.start_soon(worker)

    assert ended.is_set()


async def test_tasks_are_protected_from_keyboard_interrupt() -> None:
    seen = []

    async def worker() -> None:
        await trio.lowlevel.checkpoint()
        seen.append(trio.lowlevel.currently_ki_protected())

    async with Supervisor() as supervisor:
        supervisor.start_soon(worker)
        await trio.testing.wait_all_tasks_blocked()

    assert seen == [True]


def test_control_c_in_a_task_comes_out_of_the_body_alone() -> None:
    finished = []

    async def main() -> None:
        async with Supervisor() as supervisor:

            async def worker() -> None:
                signal.raise_signal(signal.SIGINT)
                await trio.lowlevel.cancel_shielded_checkpoint()
                finished.append(True)

            supervisor.start_soon(worker)
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, strict_exception_groups=True)
    assert finished == [True]


async def test_start_returns_what_the_task_reports() -> None:
    async def worker(*, task_status: trio.TaskStatus[int]) -> None:
        task_status.started(7)
        await trio.sleep_forever()

    async with Supervisor() as supervisor:
        assert await supervisor.start(worker) == 7


async def test_a_task_runs_in_a_copy_of_the_given_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    context = contextvars.copy_context()
    context.run(variable.set, "given")
    seen = []

    async def worker() -> None:
        seen.append(variable.get())
        variable.set("changed")
        await trio.lowlevel.checkpoint()

    async with Supervisor() as supervisor:
        supervisor.start_soon(worker, context=context)
        await trio.testing.wait_all_tasks_blocked()

    assert (seen, context[variable]) == (["given"], "given")

"""Receipts: waiting changes nothing, the first word counts."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trivox.actor.receipt import OpenReceipt
from trivox.errors import CallEndedError, SipResponseError


async def test_all_who_wait_get_the_outcome_and_waiting_is_a_checkpoint() -> None:
    receipt: OpenReceipt[int] = OpenReceipt()
    got = []

    async def wait() -> None:
        got.append(await receipt.wait())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert not receipt.done
        receipt.resolve(200)
        receipt.resolve(500)
    with trio.testing.assert_checkpoints():
        got.append(await receipt.wait())
    with trio.testing.assert_checkpoints():
        got.append(await receipt.check())

    assert got == [200, 200, 200, 200]


async def test_an_error_is_raised_by_each_wait() -> None:
    receipt: OpenReceipt[int] = OpenReceipt()
    receipt.fail(CallEndedError())
    receipt.resolve(200)

    for _ in range(2):
        with pytest.raises(CallEndedError):
            await receipt.wait()


async def test_check_raises_what_the_judge_makes_of_the_outcome() -> None:
    judge = lambda status: SipResponseError(response=status) if status >= 300 else None  # noqa: E731
    good: OpenReceipt[int] = OpenReceipt(judge=judge)
    bad: OpenReceipt[int] = OpenReceipt(judge=judge)
    good.resolve(200)
    bad.resolve(486)

    assert await good.check() == 200
    assert await bad.wait() == 486
    with pytest.raises(SipResponseError):
        await bad.check()


async def test_being_cancelled_in_wait_changes_nothing() -> None:
    cancelled: list[bool] = []
    receipt: OpenReceipt[None] = OpenReceipt(cancel=lambda: cancelled.append(True))
    with trio.move_on_after(0):
        await receipt.wait()

    assert (receipt.done, cancelled) == (False, [])


def test_cancel_acts_once_under_way_and_not_when_done() -> None:
    cancelled: list[bool] = []
    receipt: OpenReceipt[None] = OpenReceipt(cancel=lambda: cancelled.append(True))

    receipt.cancel()
    receipt.resolve(None)
    receipt.cancel()

    assert cancelled == [True]

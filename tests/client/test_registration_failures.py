"""A REGISTER that is refused: what is tried again, and what a program hears of it."""

from __future__ import annotations

import itertools

import pytest
import trio

from trivox import AccountConfig, RegistrationFailed, RegistrationState
from trivox.errors import RegistrationError
from trivox.testing.far_end import FarEnd

HERE, REGISTRAR = ("10.0.0.1", 5060), ("10.0.0.9", 5060)
ACCOUNT = AccountConfig("sip:us@example.org", registrar="sip:10.0.0.9", expires=600)
S = RegistrationState


async def _played(world, play) -> None:
    """Play with an account, a registrar that says what a test wants, and the failures told."""
    own = world()
    async with own.client(accounts=[ACCOUNT]) as client:
        failures: list[RegistrationFailed] = []
        client.on(RegistrationFailed, failures.append)
        (account,) = client.accounts.values()
        with FarEnd(own.link.host(REGISTRAR[0]), REGISTRAR, HERE) as far:
            await play(account, far, failures)


async def _answer(far: FarEnd, status: int, within: float = 3600.0) -> float:
    """Answer the next REGISTER; returns when it came."""
    with trio.fail_after(within):
        request = await far.expect("REGISTER")
    at = trio.current_time()
    far.respond(request, status, headers=[("Expires", "600")])
    return at


async def _register(account, far: FarEnd, status: int = 200) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(account.register)
        await _answer(far, status)


async def test_a_refresh_that_is_refused_once_costs_nothing(autojump_clock, world) -> None:
    """RFC 5626 §4.5: after a pause it is asked for again, while the binding holds."""

    async def play(account, far, failures):
        await _register(account, far)
        ends = account.expires_at.value
        first = await _answer(far, 400)
        second = await _answer(far, 200)
        await trio.sleep(1)

        assert 15 <= second - first <= 30.1
        assert account.registration.value is S.REGISTERED
        assert account.expires_at.value > ends
        (told,) = failures
        assert (told.account, told.sip_code, told.is_registered) == (account, 400, True)
        assert told.at + told.retry_after == pytest.approx(second, abs=0.1)

    await _played(world, play)


async def test_the_end_of_the_binding_stays_known_while_refreshes_are_refused(
    autojump_clock, world
) -> None:
    async def play(account, far, failures):
        await _register(account, far)
        ends = account.expires_at.value
        await _answer(far, 400)
        await trio.sleep(1)

        assert account.expires_at.value == pytest.approx(ends, abs=0.1)
        assert [told.is_registered for told in failures] == [True]

    await _played(world, play)


async def test_a_registrar_in_trouble_for_long_is_asked_with_growing_pauses(
    autojump_clock, world
) -> None:
    async def play(account, far, failures):
        await _register(account, far)
        ends = account.expires_at.value
        times = [await _answer(far, 420) for _ in range(8)]
        pauses = [after - before for before, after in itertools.pairwise(times)]
        assert all(
            base / 2 <= pause <= base + 0.1
            for base, pause in zip((30, 60, 120, 240, 480, 960, 1800), pauses, strict=True)
        )
        await trio.sleep(1)
        assert account.registration.value is S.FAILED
        assert account.expires_at.value is None
        holds = [told.at + told.retry_after < ends for told in failures]
        assert [told.is_registered for told in failures] == holds

        await _answer(far, 200)
        await trio.sleep(1)
        assert account.registration.value is S.REGISTERED

    await _played(world, play)


async def test_what_cannot_become_right_is_given_up_and_told(autojump_clock, world) -> None:
    """RFC 3261 §21.4.5."""

    async def play(account, far, failures):
        await _register(account, far)
        await _answer(far, 404)

        assert await far.silence(7200)
        assert account.registration.value is S.FAILED
        assert [(told.sip_code, told.retry_after) for told in failures] == [(404, None)]
        assert not failures[0].is_registered

    await _played(world, play)


async def test_a_first_registration_that_is_refused_is_an_error_and_told(
    autojump_clock, world
) -> None:
    async def play(account, far, failures):
        async def register() -> None:
            with pytest.raises(RegistrationError, match="Reason") as raised:
                await account.register()
            assert raised.value.sip_code == 400

        async with trio.open_nursery() as nursery:
            nursery.start_soon(register)
            await _answer(far, 400)
        assert await far.silence(7200)
        assert [(told.sip_code, told.retry_after) for told in failures] == [(400, None)]

    await _played(world, play)


async def test_nobody_there_is_told_with_the_next_try(autojump_clock, world) -> None:
    async def play(account, far, failures):
        with pytest.raises(RegistrationError):
            await account.register()

        (told,) = failures
        assert (told.sip_code, told.reason, told.is_registered) == (0, "no answer", False)
        assert told.retry_after > 0

    await _played(world, play)


async def test_closing_a_client_is_no_failure(autojump_clock, world) -> None:
    failures: list[RegistrationFailed] = []
    own = world()
    with FarEnd(own.link.host(REGISTRAR[0]), REGISTRAR, HERE) as far:
        async with own.client(accounts=[ACCOUNT]) as client:
            client.on(RegistrationFailed, failures.append)
            (account,) = client.accounts.values()
            await _register(account, far)

    assert failures == []
    assert account.registration.value is not S.REGISTERED

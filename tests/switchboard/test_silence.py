"""A switchboard in silent mode: nobody is found by who is nobody here (threat 27)."""

from __future__ import annotations

import pytest
import trio

from trivox import DoorLimits
from trivox.sip.digest import DigestClient

METHODS = ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY", "OPTIONS", "BYE", "PARTY"]
SILENT = DoorLimits(silent=True)
URIS = ["sip:board.test", "sip:carol@board.test", "sip:nobody@board.test", "sip:x@elsewhere.test"]


@pytest.mark.parametrize("method", METHODS)
async def test_a_scanner_hears_nothing(autojump_clock, phones, board, method) -> None:
    eve, carol = phones("eve", 66), phones("carol", 4)
    async with board(door=SILENT) as own:
        await carol.register()
        for uri in (*URIS, carol.contact):
            eve.send(eve.request(method, uri))
        await eve.hears_nothing(during=33)
        await carol.hears_nothing()

        core = own.statistics().endpoint.core
        assert core["silenced"] == len(URIS) + 1
        assert core["transactions"] == 0


async def test_who_registers_is_challenged_and_then_known(autojump_clock, phones, board) -> None:
    alice, carol = phones("alice", 2), phones("carol", 4)
    async with board(door=SILENT):
        assert (await carol.register()).status == 200
        assert (await alice.register()).status == 200
        await alice.invite("carol")
        carol.answer(await carol.receive("INVITE"), 486, contact=False)
        assert (await alice.receive("SIP/2.0 486")).status == 486

        alice.send(alice.request("OPTIONS", "sip:board.test"))
        assert (await alice.receive("SIP/2.0")).status == 200
        await alice.authorized("MESSAGE", "sip:nobody@board.test")
        assert (await alice.receive("SIP/2.0")).status == 404


async def test_guests_are_answered_where_they_may_call_and_nobody_else(
    autojump_clock, phones, board
) -> None:
    guest, carol = phones("guest", 66), phones("carol", 4)
    async with board(door=SILENT, guests=True) as own:
        await carol.register()
        for user, status in (("nobody", 404), ("carol", 486)):
            text = guest.request("INVITE", f"sip:{user}@board.test")
            guest.send(text)
            await guest.hears_nothing(during=33)
            guest.send(text.replace("guest@board.test", "guest@elsewhere.test"))
            if status == 486:
                carol.answer(await carol.receive("INVITE"), status, contact=False)
            answer = await guest.receive(f"SIP/2.0 {status}")
            guest.send(guest.ack_of(answer))
            await trio.sleep(5)
            guest.inbox.clear()
        assert own.statistics().endpoint.core["silenced"] == 2


async def test_repeats_of_a_request_with_a_wrong_password_lock_nobody_out(
    autojump_clock, phones, board
) -> None:
    alice = phones("alice", 2)
    right, alice.digest = alice.digest, DigestClient("alice", "wrong", realms=["board.test"])
    async with board(door=SILENT) as own:
        headers = (f"Contact: <{alice.contact}>;expires=60",)
        to = "<sip:alice@board.test>"
        text = await alice.authorized("REGISTER", "sip:board.test", headers=headers, to=to)
        for _ in range(10):
            await alice.hears_nothing(during=3)
            alice.send(text)
        await alice.hears_nothing(during=3)
        alice.digest = right

        assert (await alice.register()).status == 200
        assert own.statistics().locked_out == 0


async def test_a_wrong_password_hears_nothing_and_who_unregisters_is_a_stranger_again(
    autojump_clock, phones, board
) -> None:
    alice, eve = phones("alice", 2), phones("eve", 66)
    async with board(door=SILENT):
        headers = (f"Contact: <{eve.contact}>;expires=60",)
        to = "<sip:alice@board.test>"
        await eve.authorized("REGISTER", "sip:board.test", headers=headers, to=to)
        await eve.hears_nothing(during=33)

        await alice.register()
        await alice.register(expires=0)
        alice.send(alice.request("OPTIONS", "sip:board.test"))
        await alice.hears_nothing(during=33)


def _listen():
    return [
        f"sip:10.0.0.1:{port};transport={kind}" for kind, port in (("udp", 5060), ("tcp", 5061))
    ]


async def test_a_phone_that_is_registered_calls_by_another_transport(
    autojump_clock, link, phones, agent, board, nursery
) -> None:
    """RFC 3261 §18.1.1: an INVITE that is too long for UDP goes over TCP."""
    alice, carol = phones("alice", 2), phones("carol", 4)
    async with board(door=SILENT, listen=_listen()) as own:
        await alice.register()
        await carol.register()
        by_tcp = await agent(own, "alice", "tcp", link.host("10.0.0.2"))
        async with trio.open_nursery() as calling:
            calling.start_soon(by_tcp.call, "sip:carol@board.test")
            carol.answer(await carol.receive("INVITE"), 486, contact=False)

        assert [answers[-1].status for answers in by_tcp.responses.values()] == [407, 486]
        assert own.statistics().endpoint.core["silenced"] == 0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("host", "method", "password", "registered", "heard"),
    [
        ("10.0.0.66", "INVITE", "a-secret", True, []),
        ("10.0.0.2", "OPTIONS", "a-secret", True, []),
        ("10.0.0.2", "INVITE", "wrong", True, [407]),
        ("10.0.0.2", "INVITE", "a-secret", False, []),
    ],
)
async def test_the_host_of_a_phone_is_challenged_and_that_is_all(
    autojump_clock, link, phones, agent, board, nursery, host, method, password, registered, heard
) -> None:
    alice = phones("alice", 2)
    async with board(door=SILENT, listen=_listen()) as own:
        await alice.register()
        if not registered:
            await alice.register(expires=0)
        by_tcp = await agent(own, "alice", "tcp", link.host(host))
        by_tcp.digest = DigestClient("alice", password, realms=["board.test"])
        uri = "sip:board.test" if method == "OPTIONS" else "sip:carol@board.test"
        with trio.move_on_after(40):
            await by_tcp.ask(method, uri)

        assert [answers[-1].status for answers in by_tcp.responses.values()] == heard
        assert own.statistics().endpoint.core["silenced"] == 1
        nursery.cancel_scope.cancel()

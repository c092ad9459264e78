"""Transfers, subscriptions and messages through the switchboard, every user with a password."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio

import trivox
from trivox.testing import Link
from trivox.testing.fake_engine import fake_media

HOSTS = {"alice": "10.0.0.1", "bob": "10.0.0.2", "carol": "10.0.0.3"}
MAILBOX = trivox.MessageSummary(
    has_messages=True, counts={"voice-message": trivox.MessageCounts(1, 0)}
)


async def take(call: trivox.Call) -> None:
    call.on(trivox.TransferRequested, lambda event: event.accept())
    await call.answer()
    await call.wait_ended()


@asynccontextmanager
async def office(transport: str):
    """A switchboard and three registered users, the last two of whom answer calls."""
    link = Link(1, delay=0.005)
    media, _ = fake_media(now=trio.current_time())
    async with AsyncExitStack() as stack:
        board = await stack.enter_async_context(
            trivox.open_switchboard(
                listen=[f"sip:10.0.0.10:5060;transport={transport}"],
                users=dict.fromkeys(HOSTS, "pw"),
                sockets=link.host("10.0.0.10"),
                seed=b"b" * 32,
            )
        )
        clients = {}
        for name, host in HOSTS.items():
            clients[name] = await stack.enter_async_context(
                trivox.open_client(
                    listen=[f"sip:{host}:5060;transport={transport}"],
                    accounts=[board.account(name)],
                    engine=media,
                    sockets=link.host(host),
                    seed=host.encode() * 4,
                    event_packages=["message-summary"],
                )
            )
            await clients[name].accounts[f"sip:{name}@10.0.0.10"].register()
        nursery = await stack.enter_async_context(trio.open_nursery())
        for name in ("bob", "carol"):
            await nursery.start(clients[name].serve, take)
        yield clients
        nursery.cancel_scope.cancel()


TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])


@TRANSPORTS
async def test_a_blind_transfer_passes_it(autojump_clock, transport) -> None:
    async with office(transport) as clients:
        async with clients["alice"].dial("bob") as call:
            result = await call.transfer("carol")
            end = await call.wait_ended()
            await trio.sleep(1)

            assert (result.code, end.reason) == (200, trivox.EndReason.TRANSFERRED)
            (bobs,) = clients["bob"].calls.values()
            (carols,) = clients["carol"].calls.values()
            assert bobs.state.value is carols.state.value is trivox.CallState.CONNECTED
            assert carols.remote_headers["Referred-By"] == "<sip:alice@10.0.0.10>"


@TRANSPORTS
async def test_an_attended_transfer_passes_it(autojump_clock, transport) -> None:
    async with office(transport) as clients:
        alice = clients["alice"]
        async with alice.dial("bob") as call, alice.dial("carol") as consultation:
            result = await call.transfer(consultation)
            ends = [await call.wait_ended(), await consultation.wait_ended()]
            await trio.sleep(1)

            assert result.code == 200
            assert {end.reason for end in ends} == {trivox.EndReason.TRANSFERRED}
            (bobs,) = clients["bob"].calls.values()
            (carols,) = clients["carol"].calls.values()
            assert bobs.state.value is carols.state.value is trivox.CallState.CONNECTED
            assert carols.replaces is None


@TRANSPORTS
async def test_a_subscription_passes_it_with_refreshes(autojump_clock, transport) -> None:
    watchers = []
    async with office(transport) as clients:
        clients["bob"].on(
            trivox.SubscriptionRequested, lambda event: watchers.append(event.accept())
        )
        async with clients["alice"].subscribe("bob", "message-summary", expires=120) as told:
            assert (await anext(told)).value is None
            await trio.sleep(500)
            assert watchers[0].state.value is trivox.NotifierState.ACTIVE
            watchers[0].notify(MAILBOX)

            # Refreshes of what is known bring no NOTIFY (RFC 5839 §5.4).
            assert (await anext(told)).value == MAILBOX
            assert len(watchers) == 1
        assert watchers[0].state.value is trivox.NotifierState.OVER


@TRANSPORTS
async def test_a_message_passes_it(autojump_clock, transport) -> None:
    seen = []
    async with office(transport) as clients:
        clients["bob"].on(trivox.IncomingMessage, seen.append)
        response = await clients["alice"].request(
            "MESSAGE", "bob", body="hello", content_type="text/plain"
        )

    assert response.status == 200
    assert [(message.text, message.from_uri) for message in seen] == [
        ("hello", "sip:alice@10.0.0.10")
    ]


async def test_a_stranger_s_subscription_is_asked_for_a_password(autojump_clock) -> None:
    async with office("udp") as clients:
        nobody = trivox.AccountConfig(
            "sip:mallory@10.0.0.10", password="x", registrar="", proxy="sip:10.0.0.10:5060"
        )
        account = clients["alice"].add_account(nobody)
        with pytest.raises(trivox.SubscriptionError) as caught:
            async with clients["alice"].subscribe("bob", "message-summary", account=account):
                pytest.fail("mallory is no user")

    assert caught.value.sip_code in (403, 407)

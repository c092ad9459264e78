"""Registration by flows at Kamailio: outbound, two ways in, a flow that breaks, SHA-256."""

from __future__ import annotations

import pytest
import trio

import trivox

from .far_ends.kamailio import DOMAIN, PASSWORD, open_kamailio

pytestmark = [pytest.mark.interop, pytest.mark.far_end("kamailio"), pytest.mark.slow]

RTP = trivox.CallSettings(media="rtp")
S = trivox.RegistrationState


def _client(kamailio, user, transport="tcp", **more):
    account = trivox.AccountConfig(
        f"sip:{user}@{DOMAIN}", password=PASSWORD, proxy=kamailio.proxy(transport), **more
    )
    listen = ["sip:127.0.0.1:0;transport=udp", "sip:127.0.0.1:0;transport=tcp"]
    tls = trivox.TlsConfig(ca=kamailio.ca)
    return trivox.open_client(listen=listen, accounts=[account], tls=tls)


async def test_an_outbound_flow_is_granted_and_called_by(run_dir, nursery):
    async def handler(call: trivox.Call) -> None:
        await call.answer()
        await call.wait_ended()

    async with open_kamailio(run_dir) as kamailio:
        async with (
            _client(kamailio, "alice", outbound=True) as alice,
            _client(kamailio, "bob", outbound=True) as bob,
        ):
            nursery.start_soon(bob.serve, handler)
            (account,) = bob.accounts.values()
            await account.register()
            (caller,) = alice.accounts.values()
            await caller.register()
            assert account.flow.granted.is_outbound

            async with caller.dial(account.uri, RTP) as call:
                assert ";ob" in call._route.identity.contact
                assert await call.send_info("text/plain", "hello").check()
            nursery.cancel_scope.cancel()


async def test_a_call_comes_by_the_flow_that_is_left(run_dir, nursery):
    async def handler(call: trivox.Call) -> None:
        await call.answer()
        await call.wait_ended()

    async with open_kamailio(run_dir) as kamailio:
        proxies = (kamailio.proxy("tls"),)
        async with (
            _client(kamailio, "alice", "udp") as alice,
            _client(kamailio, "bob", flow_proxies=proxies) as bob,
        ):
            nursery.start_soon(bob.serve, handler)
            (account,) = bob.accounts.values()
            await account.register()
            with trio.fail_after(30):
                while account.flows != (S.REGISTERED, S.REGISTERED):
                    await trio.sleep(0.01)
            bob._wiring.endpoint.close_flow(account._flows[0].in_use.flow)
            with trio.fail_after(30):
                while account.flows != (S.FAILED, S.REGISTERED):
                    await trio.sleep(0.01)
            await trio.sleep(0.5)

            (caller,) = alice.accounts.values()
            await caller.register()
            async with caller.dial(account.uri, RTP) as call:
                assert call.state.value is trivox.CallState.CONNECTED
            nursery.cancel_scope.cancel()


async def test_keep_alives_of_a_connection_are_answered(run_dir):
    async with open_kamailio(run_dir) as kamailio:
        async with _client(kamailio, "bob", outbound=True, keep_alive=1) as bob:
            (account,) = bob.accounts.values()
            await account.register()
            # A ping that is not answered would break the flow ten seconds later.
            await trio.sleep(3)
            alive = account._flows[0]._keep_alive

            assert account.registration.value is S.REGISTERED
            assert not alive._is_waiting


async def test_a_sha_256_challenge_is_answered_and_md5_can_be_refused(run_dir):
    async with open_kamailio(run_dir, algorithm="SHA-256") as kamailio:
        async with _client(kamailio, "bob", digest_algorithms=("SHA-256",)) as bob:
            (account,) = bob.accounts.values()
            await account.register()
    async with open_kamailio(run_dir) as kamailio:
        async with _client(kamailio, "bob", digest_algorithms=("SHA-256",)) as bob:
            (account,) = bob.accounts.values()
            with pytest.raises(trivox.RegistrationError):
                await account.register()

"""baresip transfers and is transferred (REFER, RFC 3515)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

import trivox

from .far_ends.baresip import open_baresip

pytestmark = [pytest.mark.interop, pytest.mark.far_end("baresip"), pytest.mark.slow]

LISTEN = ("sip:127.0.0.1:0;transport=udp",)
RTP = trivox.CallSettings(media="rtp")


@asynccontextmanager
async def target():
    """A client that answers, as (its URI, the calls it connected)."""
    sender, calls = trio.open_memory_channel[trivox.Call](8)

    async def handler(call: trivox.Call) -> None:
        await call.answer()
        await call.wait_connected()
        await sender.send(call)
        await call.wait_ended()

    async with trivox.open_client(listen=LISTEN) as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, handler)
        yield str(client.listening_on[0]).replace("sip:", "sip:target@", 1), calls
        nursery.cancel_scope.cancel()


async def test_we_transfer_baresip_to_somebody_else(run_dir):
    async with open_baresip(run_dir) as baresip, target() as (uri, calls):
        async with trivox.open_client(listen=LISTEN) as client:
            async with client.dial(baresip.uri, RTP) as call:
                with trio.fail_after(30):
                    result = await call.transfer(uri)
                    end = await call.wait_ended()
                    reached = await calls.receive()

                assert result == trivox.TransferResult(200, "OK", is_confirmed=True)
                assert end.reason is trivox.EndReason.TRANSFERRED
                assert reached.remote_sip_uri.value.startswith("sip:baresip@")


async def test_we_hear_that_baresip_did_not_reach_the_target(run_dir):
    async with open_baresip(run_dir) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            nobody = str(client.listening_on[0]).replace("sip:", "sip:nobody@", 1)
            async with client.dial(baresip.uri, RTP) as call:
                with trio.fail_after(30), pytest.raises(trivox.CallTransferFailedError) as caught:
                    await call.transfer(nobody)

                assert caught.value.sip_code == 503
                assert call.state.value is trivox.CallState.CONNECTED


async def test_baresip_transfers_us_to_somebody_else(run_dir):
    placed = []
    async with open_baresip(run_dir) as baresip, target() as (uri, calls):
        async with trivox.open_client(listen=LISTEN) as client:
            async with client.dial(baresip.uri, RTP) as call:
                call.on(trivox.TransferRequested, lambda event: placed.append(event.accept()))
                await baresip.order("transfer", uri)
                with trio.fail_after(30):
                    reached = await calls.receive()
                    await call.wait_ended()

                assert reached.remote_headers["From"].startswith("<sip:trivox@")
                assert [new.state.value for new in placed] == [trivox.CallState.CONNECTED]


async def test_baresip_is_told_that_we_decline_its_transfer(run_dir):
    async with open_baresip(run_dir) as baresip:
        async with trivox.open_client(listen=LISTEN) as client:
            async with client.dial(baresip.uri, RTP):
                await baresip.order("transfer", "sip:somebody@127.0.0.1")
                event = await baresip.event("TRANSFER_FAILED")

                assert "603" in event["param"]

"""sipp's built-in scenarios against a server and a client of ours."""

from __future__ import annotations

from functools import partial

import pytest
import trio

import trivox

from .far_ends.ports import free_port
from .far_ends.sipp import run_sipp

pytestmark = [pytest.mark.interop, pytest.mark.far_end("sipp")]

LISTEN = ("sip:127.0.0.1:0;transport=udp",)


async def answer_and_wait(call: trivox.Call) -> None:
    async with call:
        await call.answer()
        await call.wait_ended()


async def test_two_hundred_calls_of_sipp_uac_are_served(run_dir, nursery):
    async with trivox.open_client(listen=LISTEN) as client:
        nursery.start_soon(client.serve, answer_and_wait)
        port = trivox.sip.Uri.parse(str(client.listening_on[0])).port

        result = await run_sipp(
            run_dir, "-sn", "uac", "-m", "200", "-r", "50", "-d", "200", f"127.0.0.1:{port}"
        )

        assert (result.successful, result.failed) == (200, 0), result.errors
        # A machine that stands still for half a second repeats a few; a fault of ours, all.
        assert result.retransmissions < 100
        with trio.fail_after(30):
            while client.calls:
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()


async def test_two_hundred_calls_over_tcp_are_served(run_dir, nursery):
    async with trivox.open_client(listen=("sip:127.0.0.1:0;transport=tcp",)) as client:
        nursery.start_soon(client.serve, answer_and_wait)
        port = trivox.sip.Uri.parse(str(client.listening_on[0])).port

        result = await run_sipp(
            run_dir, "-sn", "uac", "-t", "t1", "-m", "200", "-r", "50", "-d", "200",
            f"127.0.0.1:{port}",
        )  # fmt: skip

        assert (result.successful, result.failed) == (200, 0), result.errors
        nursery.cancel_scope.cancel()


async def test_sipp_uas_is_called_and_hung_up(run_dir, nursery):
    port = free_port()
    finished: list[object] = []

    async def far_end(task_status=trio.TASK_STATUS_IGNORED):
        result = await run_sipp(
            run_dir, "-sn", "uas", "-p", str(port), "-m", "3", task_status=task_status
        )
        finished.append(result)

    async with trio.open_nursery() as own:
        await own.start(far_end)
        async with trivox.open_client(listen=LISTEN) as client:
            settings = trivox.CallSettings(media="rtp")
            for _ in range(3):
                async with client.dial(f"sip:service@127.0.0.1:{port}", settings) as call:
                    assert call.state.value is trivox.CallState.CONNECTED
                end = await call.wait_ended()
                assert end.reason is trivox.EndReason.LOCAL_ENDED

    assert finished[0].successful == 3, finished[0].errors


async def test_a_handler_that_rejects_is_seen_by_sipp_as_a_failed_call(run_dir, nursery):
    async def busy(call: trivox.Call) -> None:
        call.reject(trivox.RejectMode.BUSY)

    async with trivox.open_client(listen=LISTEN) as client:
        nursery.start_soon(partial(client.serve, busy))
        port = trivox.sip.Uri.parse(str(client.listening_on[0])).port

        result = await run_sipp(run_dir, "-sn", "uac", "-m", "5", "-r", "50", f"127.0.0.1:{port}")

        assert (result.successful, result.failed) == (0, 5)
        assert "486" in result.errors
        nursery.cancel_scope.cancel()

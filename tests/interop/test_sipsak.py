"""sipsak probes a client, with requests as they should be and with mangled ones."""

from __future__ import annotations

import subprocess

import pytest
import trio

import trivox
from trivox.sip import Uri

pytestmark = [pytest.mark.interop, pytest.mark.far_end("sipsak")]

LISTEN = ("sip:127.0.0.1:0;transport=udp",)


async def _sipsak(*words: str, within: float = 20) -> subprocess.CompletedProcess[bytes]:
    with trio.fail_after(within):
        return await trio.run_process(
            ["sipsak", *words],
            check=False,
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            stdin=b"",
        )


async def test_options_are_answered_with_what_we_can_do(nursery):
    async with trivox.open_client(listen=LISTEN) as client:
        await nursery.start(client.serve, _answer)
        port = Uri.parse(client.listening_on[0]).port

        result = await _sipsak("-vv", "-s", f"sip:anybody@127.0.0.1:{port}")

        nursery.cancel_scope.cancel()

    assert result.returncode == 0, result.stdout
    assert b"SIP/2.0 200" in result.stdout
    assert b"Allow:" in result.stdout


async def test_options_say_busy_while_nobody_takes_calls():
    async with trivox.open_client(listen=LISTEN) as client:
        port = Uri.parse(client.listening_on[0]).port

        result = await _sipsak("-vv", "-s", f"sip:anybody@127.0.0.1:{port}")

    assert b"SIP/2.0 503" in result.stdout


async def test_mangled_requests_do_not_stop_the_answers(nursery):
    async with trivox.open_client(listen=LISTEN) as client:
        await nursery.start(client.serve, _answer)
        port = Uri.parse(client.listening_on[0]).port
        target = f"sip:anybody@127.0.0.1:{port}"

        await _sipsak("-R", "-t", "40", "-s", target)
        result = await _sipsak("-s", target)
        nursery.cancel_scope.cancel()

    assert result.returncode == 0, result.stdout


async def _answer(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()

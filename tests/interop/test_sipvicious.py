"""sipvicious looks for servers, for users and for a password, and is told of none (sip scanners)."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import trio

import trivox
from trivox.sip import Uri

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.interop, pytest.mark.far_end("sipvicious")]

USERS = {"1000": "1005", "1003": "a long secret"}
LISTEN = ("sip:127.0.0.1:0;transport=udp",)


async def _run(tool: str, *words: str, home: Path, within: float = 30) -> bytes:
    """Run a tool with a session store of its own and return what it printed."""
    with trio.fail_after(within):
        done = await trio.run_process(
            [tool, *words],
            check=False,
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            stdin=b"n\n",
            env=os.environ | {"HOME": str(home)},
        )
    return bytes(done.stdout)


async def test_svmap_finds_a_client_by_its_answer(nursery, tmp_path):
    async with trivox.open_client(listen=LISTEN) as client:
        await nursery.start(client.serve, _answer)
        port = str(Uri.parse(client.listening_on[0]).port)

        found = await _run("svmap", "127.0.0.1", "-p", port, home=tmp_path)
        nursery.cancel_scope.cancel()

    assert f"127.0.0.1:{port}".encode() in found


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
async def test_svwar_cannot_tell_users_from_others(method, tmp_path):
    async with trivox.open_switchboard(listen=LISTEN, users=USERS) as board:
        port = str(Uri.parse(board.listening_on[0]).port)

        found = await _run(
            "svwar", "127.0.0.1", "-p", port, "-e", "998-1008", "-m", method, "--force",
            home=tmp_path,
        )  # fmt: skip

    assert b"| reqauth" not in found, found
    assert b"| noauth" not in found, found
    assert b"found nothing" in found, found


async def test_svcrack_finds_no_password_and_the_server_goes_on(nursery, tmp_path):
    async with trivox.open_switchboard(listen=LISTEN, users=USERS) as board:
        port = str(Uri.parse(board.listening_on[0]).port)

        found = await _run(
            "svcrack", "127.0.0.1", "-p", port, "-u", "1000", "-r", "1000-1010", home=tmp_path
        )
        account = board.account("1003")
        settings = trivox.AccountConfig(
            account.uri, password=account.password, registrar=account.registrar
        )
        async with trivox.open_client(listen=LISTEN, accounts=[settings]) as client:
            (own,) = client.accounts.values()
            await own.register()

        heard = board.statistics().endpoint.core["received"]

    assert b"1005" not in found
    assert heard > 2, "svcrack asked as well"


async def _answer(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()

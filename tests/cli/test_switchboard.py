"""`trivox switchboard` as a program."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from trivox.client.config import AccountConfig
from trivox.client.opening import open_client
from trivox.errors import RegistrationError

pytestmark = pytest.mark.native


@pytest.fixture
def switchboard():
    """A running switchboard with the user alice; the address it says it listens on."""
    command = [sys.executable, "-m", "trivox.cli", "switchboard", "--user", "alice:s3cret"]
    process = subprocess.Popen(
        [*command, "--listen", "sip:127.0.0.1:0;transport=udp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on sip:127.0.0.1:"), line
    yield line.split()[-1]

    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=20)
    assert "Traceback" not in rest


def _account(address: str, password: str) -> AccountConfig:
    return AccountConfig("sip:alice@127.0.0.1", password=password, registrar=address)


async def test_a_user_registers_at_the_address_it_prints(switchboard: str) -> None:
    accounts = [_account(switchboard, "s3cret")]
    async with open_client(listen=["sip:127.0.0.1:0;transport=udp"], accounts=accounts) as client:
        async with client.accounts["sip:alice@127.0.0.1"].registered() as account:
            assert str(account.registration.value) == "registered"


async def test_a_wrong_password_is_refused(switchboard: str) -> None:
    accounts = [_account(switchboard, "wrong")]
    async with open_client(listen=["sip:127.0.0.1:0;transport=udp"], accounts=accounts) as client:
        with pytest.raises(RegistrationError):
            await client.accounts["sip:alice@127.0.0.1"].register()

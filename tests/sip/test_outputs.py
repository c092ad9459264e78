"""Outputs and facts as they stand in a log."""

from __future__ import annotations

import pytest

from trivox.sip.events import Acknowledged
from trivox.sip.outputs import SendAck, SendRequest, SendResponse

SECRET = (("Authorization", "Digest response=secret"),)


@pytest.mark.parametrize(
    "output",
    [
        SendRequest("BYE", "sip:b", SECRET, b"secret"),
        SendAck(1, "tag", "sip:b", SECRET, b"secret"),
        SendResponse(1, 200, "OK", SECRET, b"secret"),
        Acknowledged(1, None, b"secret"),
    ],
)
def test_neither_credentials_nor_bodies_show_in_a_repr(output: object) -> None:
    assert "secret" not in repr(output)

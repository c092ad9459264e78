"""The machine's clock is set forwards and back: nothing here is timed by it."""

from __future__ import annotations

import time

import pytest

import trivox

URI = "sip:bob@10.0.0.2:5060"
HOUR = 3600.0


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 20 * 365 * 24 * HOUR])
async def test_a_jump_of_the_clock_loses_no_call_and_no_password(
    autojump_clock, world, monkeypatch, jump
) -> None:
    own = world()
    real, real_ns = time.time, time.time_ns
    ended = []

    async def handler(call):
        await call.answer()
        ended.append(await call.wait_ended())

    account = trivox.AccountConfig("sip:bob@10.0.0.2", password="pw", registrar="")
    async with own.with_server(handler, users={"bob": "pw"}, realm="10.0.0.2") as (caller, uri):
        account = caller.add_account(account)
        for _ in range(2):
            async with caller.dial(uri, account=account) as call:
                monkeypatch.setattr(time, "time", lambda: real() + jump)
                monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(jump * 1e9))
                await call.send_info("text/plain", "?").check()
                assert call.state.value is trivox.CallState.CONNECTED
            assert 0 <= call.duration < 10
        assert [end.reason for end in ended] == [trivox.EndReason.REMOTE_ENDED] * 2

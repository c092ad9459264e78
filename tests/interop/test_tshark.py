"""tshark reads the messages of a call, whatever they were carried by."""

from __future__ import annotations

import time

import pytest
import trio

import trivox

pytestmark = [pytest.mark.interop, pytest.mark.far_end("tshark")]

RTP = trivox.CallSettings(media="rtp")


async def _answer(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
async def test_the_trace_of_a_call_is_dissected_as_sip(tmp_path, nursery, transport):
    path = tmp_path / "call.pcapng"
    listen = (f"sip:127.0.0.1:0;transport={transport}",)
    async with (
        trivox.open_client(listen=listen) as server,
        trivox.open_client(listen=listen, keep_trace=True) as client,
    ):
        await nursery.start(server.serve, _answer)
        async with client.dial(server.listening_on[0], RTP) as call:
            pass
        await call.wait_ended()
        written = trivox.write_pcapng(path, call, epoch=time.time() - trio.current_time())
        nursery.cancel_scope.cancel()

    fields = ["sip.Method", "sip.Status-Code", "sip.Call-ID", "sdp.media", "udp.port"]
    words = [word for field in fields for word in ("-e", field)]
    result = await trio.run_process(
        ["tshark", "-r", str(path), "-T", "fields", "-E", "separator=|", *words],
        capture_stdout=True,
    )
    rows = [line.split("|") for line in result.stdout.decode().splitlines()]

    assert len(rows) == written >= 5
    assert [row[0] for row in rows if row[0]] == ["INVITE", "ACK", "BYE"]
    assert {row[1] for row in rows if row[1]} == {"200"}
    assert {row[2] for row in rows} == {call.sip_call_id}
    assert "audio" in rows[0][3]

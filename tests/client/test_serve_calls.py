"""The server of a few lines on real sockets: signals, addresses, both kinds of media."""

from __future__ import annotations

import os
import signal

import pytest
import trio

import trivox

pytestmark = pytest.mark.native


async def stay(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()


async def brief(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_connected()
    await trio.sleep(0.3)


def _to(uri: str, host: str) -> str:
    return uri.replace("0.0.0.0", host).replace("[::]", host)


@pytest.mark.parametrize("media", ["rtp", "webrtc"])
async def test_keys_and_sound_cross_real_sockets(media) -> None:
    heard = []

    async def handler(call: trivox.Call) -> None:
        await call.answer()
        heard.append(await call.collect_dtmf(max_digits=2))
        await call.play(trivox.ToneSource((880.0,), duration=0.2))

    async with (
        trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as server,
        trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(server.serve, handler)
        settings = trivox.CallSettings(media=media)
        async with client.dial(server.listening_on[0], settings) as call:
            await call.send_dtmf("42").wait()
            end = await call.wait_ended()
            figures = call.statistics()
        nursery.cancel_scope.cancel()

    assert heard == ["42"]
    assert end.reason is trivox.EndReason.REMOTE_ENDED
    assert figures.packets_received > 5


async def test_a_lite_answer_is_heard() -> None:
    silent = (trivox.IceServer("stun:127.0.0.1:9"),)
    lite = trivox.CallSettings(media="webrtc", ice_lite=True)
    answers = []

    async def handler(call: trivox.Call) -> None:
        await call.answer(lite)
        answers.append(call._leg.local_sdp)
        await call.wait_ended()

    async with (
        trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"], ice_servers=silent) as server,
        trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(server.serve, handler)
        settings = trivox.CallSettings(media="webrtc")
        async with client.dial(server.listening_on[0], settings) as call:
            with trio.fail_after(30):
                while call.statistics().packets_received < 20:
                    await trio.sleep(0.05)
            offer = call._leg.local_sdp
        nursery.cancel_scope.cancel()

    assert "a=ice-lite" not in offer
    assert "\r\na=ice-lite\r\n" in answers[0]
    assert "typ host" in answers[0]


async def test_a_wildcard_address_never_leaves_the_process() -> None:
    seen = []

    def trace(at, direction, flow, local, remote, data) -> None:
        if direction == "out":
            seen.append((remote[0], data))

    async with (
        trivox.open_client(listen=["sip:0.0.0.0:0;transport=udp"], trace=trace) as server,
        trivox.open_client(listen=["sip:0.0.0.0:0;transport=udp"]) as client,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(server.serve, stay)
        for host in ("127.0.0.1", "127.0.0.2"):
            async with client.dial(_to(server.listening_on[0], host)):
                pass
        nursery.cancel_scope.cancel()

    answers = [data for _, data in seen if b"m=audio" in data]
    assert len(answers) == 2
    assert all(b"0.0.0.0" not in data and b"127.0.0.1" in data for data in answers)


async def _serving(nursery, handler):
    return await nursery.start(trivox.serve_calls, handler, "sip:127.0.0.1:0;transport=udp")


async def test_sigterm_lets_calls_finish_refuses_new_ones_and_returns() -> None:
    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client:
        async with trio.open_nursery() as nursery:
            server = await _serving(nursery, brief)
            uri = server.listening_on[0]
            async with client.dial(uri) as call:
                os.kill(os.getpid(), signal.SIGTERM)
                while (await client.request("OPTIONS", uri)).status != 503:
                    await trio.lowlevel.checkpoint()
                with pytest.raises(trivox.CallFailedError) as raised:
                    async with client.dial(uri):
                        pytest.fail("the server drains")
                call.send_message("done")
                end = await call.wait_ended()

    assert raised.value.sip_code == 503
    assert end.reason is trivox.EndReason.REMOTE_ENDED


def test_ctrl_c_comes_out_as_itself_after_the_calls_were_hung_up() -> None:
    ends = []

    async def handler(call: trivox.Call) -> None:
        await call.answer()
        await call.wait_event(trivox.MessageReceived)
        signal.raise_signal(signal.SIGINT)
        await trio.sleep_forever()

    async def caller(uri: str) -> None:
        async with (
            trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as client,
            client.dial(uri) as call,
        ):
            call.send_message("now")
            with trio.CancelScope(shield=True):
                ends.append(await call.wait_ended())

    async def main() -> None:
        async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=udp"]) as server:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(caller, server.listening_on[0])
                await server.serve(handler)

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)) as raised:
        trio.run(main)

    error = raised.value
    assert isinstance(error, KeyboardInterrupt) or error.subgroup(KeyboardInterrupt)
    assert [end.reason for end in ends] == [trivox.EndReason.REMOTE_ENDED]


async def test_an_address_in_use_is_an_os_error_and_leaves_nothing() -> None:
    async with trivox.open_client(listen=["sip:127.0.0.1:0;transport=tcp"]) as client:
        with pytest.raises(OSError):
            async with trivox.open_client(listen=list(client.listening_on)):
                pytest.fail("the port is taken")

"""Kamailio as registrar and record-routing proxy between two clients of ours, on all transports."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

import trivox

from .far_ends.kamailio import DOMAIN, PASSWORD, open_kamailio
from .tones import assert_tone

pytestmark = [pytest.mark.interop, pytest.mark.far_end("kamailio"), pytest.mark.slow]

RTP = trivox.CallSettings(media="rtp")
LISTENING = {"tls": "tcp", "wss": "ws"}


@asynccontextmanager
async def registered(kamailio, user, transport, password=PASSWORD):
    """A client with one account at Kamailio, registered over that transport."""
    account = trivox.AccountConfig(
        f"sip:{user}@{DOMAIN}", password=password, proxy=kamailio.proxy(transport)
    )
    # Who only connects needs no certificate of its own, and listens on nothing secure.
    listen = [f"sip:127.0.0.1:0;transport={LISTENING.get(transport, transport)}"]
    tls = trivox.TlsConfig(ca=kamailio.ca)
    async with trivox.open_client(listen=listen, accounts=[account], tls=tls) as client:
        async with next(iter(client.accounts.values())).registered():
            yield client


class Callee:
    """Answers, plays 880 Hz and records, until the caller has gone."""

    def __init__(self, recording) -> None:
        self.recording = str(recording)
        self.digits = ""
        self.infos: list[str] = []
        self.end: trivox.CallEnd | None = None
        self.ended = trio.Event()

    async def __call__(self, call: trivox.Call) -> None:
        self.call = call
        call.add_event_listener(trivox.InfoReceived, lambda event: self.infos.append(event.body))
        async with call:
            await call.answer()
            async with call.cancel_on_end(), call.recording(self.recording):
                await call.play(trivox.ToneSource((880.0,)))
        self.end = await call.wait_ended()
        self.ended.set()


async def _talk(caller, tmp_path):
    """Call bob, hear his tone, say ours, send INFO, hang up; return our recording."""
    ours = tmp_path / "ours.wav"
    async with caller.dial(f"sip:bob@{DOMAIN}", RTP) as call:
        async with call.recording(str(ours)):
            response = await call.send_info("text/plain", "through the proxy").wait()
            with trio.move_on_after(2):
                await call.play(trivox.ToneSource((440.0,)))
    assert response.status == 200
    return ours


@pytest.mark.parametrize(
    ("from_transport", "to_transport"),
    [
        ("udp", "udp"),
        ("udp", "tcp"),
        ("tcp", "udp"),
        ("ws", "udp"),
        ("udp", "ws"),
        ("ws", "tcp"),
        ("tls", "udp"),
        ("udp", "tls"),
        ("tls", "wss"),
        ("wss", "tcp"),
    ],
)
async def test_a_call_through_the_proxy_is_heard_both_ways(
    run_dir, tmp_path, nursery, from_transport, to_transport
):
    callee = Callee(tmp_path / "theirs.wav")
    async with open_kamailio(run_dir) as kamailio:
        async with (
            registered(kamailio, "alice", from_transport) as alice,
            registered(kamailio, "bob", to_transport) as bob,
        ):
            nursery.start_soon(bob.serve, callee)

            ours = await _talk(alice, tmp_path)

            with trio.fail_after(30):
                await callee.ended.wait()
            nursery.cancel_scope.cancel()

    assert callee.end.reason is trivox.EndReason.REMOTE_ENDED
    assert callee.infos == ["through the proxy"]
    assert_tone(ours, 880)
    assert_tone(tmp_path / "theirs.wav", 440)


async def test_the_callee_hangs_up_through_the_record_route(run_dir, nursery):
    async def handler(call: trivox.Call) -> None:
        await call.answer()
        await call.wait_connected()

    async with open_kamailio(run_dir) as kamailio:
        async with registered(kamailio, "alice", "tcp") as alice:
            async with registered(kamailio, "bob", "udp") as bob:
                nursery.start_soon(bob.serve, handler)

                async with alice.dial(f"sip:bob@{DOMAIN}", RTP) as call:
                    with trio.fail_after(30):
                        end = await call.wait_ended()

                nursery.cancel_scope.cancel()

    assert end.reason is trivox.EndReason.REMOTE_ENDED


async def test_a_cancelled_call_ends_at_the_callee(run_dir, nursery):
    rings = trio.Event()
    ended: list[trivox.CallEnd] = []

    async def handler(call: trivox.Call) -> None:
        await call.progress(180)
        rings.set()
        ended.append(await call.wait_ended())

    async with open_kamailio(run_dir) as kamailio:
        async with registered(kamailio, "alice", "udp") as alice:
            async with registered(kamailio, "bob", "udp") as bob:
                nursery.start_soon(bob.serve, handler)
                call = alice.create_call(f"sip:bob@{DOMAIN}", RTP)
                await call.start()
                await rings.wait()
                await call.is_ringing.wait_value(True)

                call.hangup()

                with trio.fail_after(30):
                    end = await call.wait_ended()
                    while not ended:
                        await trio.sleep(0.01)
                nursery.cancel_scope.cancel()

    assert end.reason is trivox.EndReason.LOCAL_ENDED
    assert ended[0].sip_code == 487


async def test_busy_and_unknown_come_back_as_what_they_are(run_dir, nursery):
    async def busy(call: trivox.Call) -> None:
        call.reject(trivox.RejectMode.BUSY)

    async with open_kamailio(run_dir) as kamailio:
        async with (
            registered(kamailio, "alice", "udp") as alice,
            registered(kamailio, "bob", "tcp") as bob,
        ):
            nursery.start_soon(bob.serve, busy)

            with pytest.raises(trivox.BusyError):
                async with alice.dial(f"sip:bob@{DOMAIN}", RTP):
                    pass
            with pytest.raises(trivox.CallFailedError) as unknown:
                async with alice.dial(f"sip:nobody@{DOMAIN}", RTP):
                    pass
            nursery.cancel_scope.cancel()

    assert unknown.value.sip_code == 404


async def test_a_wrong_password_is_refused(run_dir):
    async with open_kamailio(run_dir) as kamailio:
        with pytest.raises(trivox.RegistrationError):
            async with registered(kamailio, "alice", "udp", password="guess"):
                pass


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_both_digest_algorithms_register(run_dir, algorithm):
    async with open_kamailio(run_dir, algorithm=algorithm) as kamailio:
        async with registered(kamailio, "alice", "tcp") as client:
            account = next(iter(client.accounts.values()))

            assert account.registration.value is trivox.RegistrationState.REGISTERED

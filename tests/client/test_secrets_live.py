"""Calls of each transport with all that is written down: nothing secret that was used is in it."""

from __future__ import annotations

import logging
import re

import pytest
import trio

import trivox

from .test_secrets import _reprs, _responses

pytestmark = [pytest.mark.native, pytest.mark.slow]

PASSWORD = "canary-passw0rd"
RELAY_PASSWORD = "canary-of-the-relay"
DIGITS = "739"
IN_DESCRIPTIONS = (re.compile(r"inline:([^|;\s]+)"), re.compile(r"a=ice-pwd:(\S+)"))
KINDS = ["rtp", "srtp", "optional-srtp", "dtls", "webrtc"]


async def _silent_relay(nursery: trio.Nursery) -> int:
    """Open a port that asks every allocation for credentials and hears nothing more."""
    socket = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    await socket.bind(("127.0.0.1", 0))
    # ERROR-CODE 401, REALM, NONCE (RFC 8489 §14).
    body = b"\x00\x09\x00\x04\x00\x00\x04\x01"
    body += b"\x00\x14\x00\x05relay\x00\x00\x00" + b"\x00\x15\x00\x04once"

    async def run() -> None:
        with socket:
            while True:
                request, who = await socket.recvfrom(2048)
                if request[:2] == b"\x00\x03":
                    head = b"\x01\x13" + len(body).to_bytes(2, "big") + request[4:20]
                    await socket.sendto(head + body, who)

    nursery.start_soon(run)
    return socket.getsockname()[1]


class Written:
    """All that a program, a log or a report shows of calls, and the secrets they used."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.secrets: set[str] = {PASSWORD, RELAY_PASSWORD, DIGITS}

    def hear(self, call: trivox.Call) -> None:
        """Keep what is told of a call from now on."""
        for kind in trivox.CallEvent:
            call.add_event_listener(kind.value, lambda event: self.shown.append(repr(event)))

    def look_at(self, call: trivox.Call, folder) -> None:
        """Keep what a call shows at this moment, and note its secrets."""
        bodies = [record.data for record in call.trace]
        for body in bodies:
            for pattern in IN_DESCRIPTIONS:
                self.secrets |= set(pattern.findall(body.decode(errors="replace")))
        self.secrets |= _responses(bodies)
        path = folder / f"{call.id}.pcapng"
        assert trivox.write_pcapng(path, call) == len(bodies) > 0
        self.shown += [path.read_bytes().decode("latin-1"), trivox.ladder(call)]
        self.shown.append(trivox.ladder(call, form="svg"))
        self.shown += [repr(call.trace), *map(str, call.trace)]
        self.shown += [repr(call.statistics()), repr(call.statistics_history()), *_reprs(call)]


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_secret_of_a_call_is_written_down(tmp_path, caplog, nursery, kind):
    caplog.set_level(logging.DEBUG)
    written = Written()
    users = {"alice": PASSWORD, "bob": PASSWORD}
    settings = trivox.CallSettings(media=kind, report_stats=True, stats_interval=0.5)
    answered: list[trivox.Call] = []

    async def answer(call: trivox.Call) -> None:
        written.hear(call)
        await call.answer()
        answered.append(call)
        await call.wait_ended()

    relay = trivox.IceServer(
        f"turn:127.0.0.1:{await _silent_relay(nursery)}", "canary", RELAY_PASSWORD
    )
    listen = ["sip:127.0.0.1:0;transport=udp"]
    async with trivox.open_switchboard(listen=listen, users=users) as board:
        options = {"listen": listen, "keep_trace": True, "ice_servers": (relay,)}
        async with (
            trivox.open_client(accounts=[board.account("alice")], **options) as near,
            trivox.open_client(accounts=[board.account("bob")], **options) as far,
        ):
            for client in (near, far):
                await next(iter(client.accounts.values())).register()
            await nursery.start(far.serve, answer)
            async with near.dial("bob", settings) as call:
                written.hear(call)
                with trio.fail_after(30):
                    while call.statistics().packets_received < 60:
                        await trio.sleep(0.05)
                await call.send_dtmf(DIGITS, method=trivox.DtmfMethod.INFO).wait()
                await call.hold()
                await call.hold(False)
                if kind == "webrtc":
                    await call.restart_ice()
                for each in (call, answered[0]):
                    written.look_at(each, tmp_path)
                for each in (near, far, board, near.config, near.statistics(), relay, settings):
                    written.shown += _reprs(each)
            written.shown += _reprs(call.end)
            nursery.cancel_scope.cancel()

    logged = [record.getMessage() + str(record.__dict__) for record in caplog.records]
    text = "\n".join(written.shown)
    least = {"rtp": 0, "srtp": 2, "optional-srtp": 2, "dtls": 0, "webrtc": 4}[kind]
    assert len(written.secrets) >= 3 + least + 1, "keys and digest answers were used"
    assert written.shown
    for secret in written.secrets - {DIGITS}:
        assert secret not in text, f"{secret} is shown: {_around(text, secret)}"
        assert secret not in "\n".join(logged)
    assert f"Signal={DIGITS[0]}" not in text


def _around(text: str, secret: str) -> str:
    at = text.index(secret)
    return text[max(at - 200, 0) : at + 100]

"""Calls with media over each transport, both IP versions; TLS from end to end."""

from __future__ import annotations

import ssl

import pytest
import trio
from tests.net.certificates import Authority

import trivox
from trivox.call.events import EndReason

pytestmark = [pytest.mark.native, pytest.mark.slow]

TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"]


@pytest.fixture
def tls(tmp_path):
    """Return what both ends of a call on this machine need."""
    authority = Authority(tmp_path)
    certificate = authority.issue("server", "127.0.0.1", "::1")
    return trivox.TlsConfig(certificate=certificate, ca=authority.root)


class Heard:
    """An audio call seen from the server: what it said, and when both ends had sound."""

    def __init__(self):
        self.traces = []

    def trace(self, *record):
        self.traces.append(record[-1].decode("utf-8", "surrogateescape"))

    def heads(self, name):
        prefix = f"{name}: "
        return [
            line[len(prefix) :]
            for message in self.traces
            for line in message.split("\r\n")
            if line.startswith(prefix)
        ]


async def answering(call):
    await call.answer()
    await call.wait_ended()


async def flowing(call):
    """Wait until sound has come."""
    heard = trio.Event()
    call.on(trivox.FirstRtpReceived, lambda _: heard.set())
    if call.statistics().packets_received == 0:
        with trio.fail_after(10):
            await heard.wait()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_call_with_sound_over_each_transport(transport, host, tls, nursery):
    seen = Heard()
    uri = f"sip:{host}:0;transport={transport}"
    async with (
        trivox.open_client(listen=[uri], tls=tls, trace=seen.trace) as server,
        trivox.open_client(listen=[f"sip:{host}:0;transport=udp"], tls=tls) as caller,
    ):
        nursery.start_soon(server.serve, answering)
        await trio.testing.wait_all_tasks_blocked()
        target = server.listening_on[0].replace("sip:", "sip:bob@")
        async with caller.dial(target, trivox.CallSettings(media="rtp")) as call:
            await flowing(call)
            assert (await call.send_info("text/plain", "?").wait()).status == 200
        assert call.end.reason is EndReason.LOCAL_ENDED
        nursery.cancel_scope.cancel()

    name = transport.upper()
    assert seen.heads("Via")
    assert all(via.startswith(f"SIP/2.0/{name} ") for via in seen.heads("Via"))
    if transport not in ("ws", "wss"):  # where a client has no address
        assert all(host in value for name in ("Via", "Contact") for value in seen.heads(name))
    version = "IP6 ::1" if ":" in host else "IP4 127.0.0.1"
    assert {message.count(f"c=IN {version}") for message in seen.traces} >= {1}


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_a_sips_call_is_tls_and_says_so_everywhere(transport, tls, nursery):
    seen = Heard()
    async with (
        trivox.open_client(
            listen=[f"sips:127.0.0.1:0;transport={transport}"], tls=tls, trace=seen.trace
        ) as server,
        trivox.open_client(listen=["sips:127.0.0.1:0"], tls=tls) as caller,
    ):
        nursery.start_soon(server.serve, answering)
        await trio.testing.wait_all_tasks_blocked()
        port = trivox.sip.Uri.parse(server.listening_on[0]).port
        async with caller.dial(f"sips:bob@127.0.0.1:{port};transport={transport}") as call:
            await flowing(call)
            assert (await call.send_info("text/plain", "?").wait()).status == 200
        nursery.cancel_scope.cancel()

    name = {"tcp": "TLS", "ws": "WSS"}[transport]
    assert {via.partition(" ")[0] for via in seen.heads("Via")} == {f"SIP/2.0/{name}"}
    assert all(contact.startswith("<sips:") for contact in seen.heads("Contact"))
    assert len(seen.heads("Contact")) >= 2


async def test_a_trunk_is_known_by_its_certificate(tmp_path, nursery):
    authority = Authority(tmp_path)
    server_tls = trivox.TlsConfig(
        certificate=authority.issue("server", "127.0.0.1"),
        ca=authority.root,
        verify_client="optional",
    )
    trunk_tls = trivox.TlsConfig(
        certificate=authority.issue("trunk", "trunk.example.net"), ca=authority.root
    )
    taken = []

    async def handler(call):
        taken.append(call.account.uri if call.account else None)
        await answering(call)

    trunk = trivox.AccountConfig("sip:trunk.example.net", registrar="", proxy="sip:192.0.2.1")
    async with (
        trivox.open_client(listen=["sips:127.0.0.1:0"], tls=server_tls, accounts=[trunk]) as server,
        trivox.open_client(tls=trunk_tls) as known,
        trivox.open_client(tls=trivox.TlsConfig(ca=authority.root)) as unknown,
    ):
        nursery.start_soon(server.serve, handler)
        await trio.testing.wait_all_tasks_blocked()
        port = trivox.sip.Uri.parse(server.listening_on[0]).port
        for caller in (known, unknown):
            async with caller.dial(f"sips:15550100@127.0.0.1:{port}"):
                pass
        nursery.cancel_scope.cancel()

    assert taken == ["sip:trunk.example.net", None]


async def test_certificates_change_while_calls_come_and_none_is_lost(tmp_path, nursery):
    first, second = Authority(tmp_path), Authority(tmp_path / "second")
    both = first.write("both", first.root.read_bytes() + second.root.read_bytes())
    certificate = first.issue("server", "127.0.0.1")
    shown = trivox.TlsConfig(certificate=certificate)
    async with (
        trivox.open_client(listen=["sips:127.0.0.1:0"], tls=shown) as server,
        trivox.open_client(tls=trivox.TlsConfig(ca=both)) as before,
        trivox.open_client(tls=trivox.TlsConfig(ca=second.root)) as after,
    ):
        nursery.start_soon(server.serve, answering)
        await trio.testing.wait_all_tasks_blocked()
        port = trivox.sip.Uri.parse(server.listening_on[0]).port
        target = f"sips:bob@127.0.0.1:{port}"
        async with before.dial(target) as call:
            certificate.write_bytes(second.issue("other", "127.0.0.1").read_bytes())
            with pytest.raises(trivox.CallFailedError):
                async with after.dial(target):
                    pass
            server.reload_certificates()
            async with after.dial(target), before.dial(target):
                assert (await call.send_info("text/plain", "?").wait()).status == 200
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("is_known", "kind", "words"),
    [(False, ssl.SSLCertVerificationError, "issuer"), (True, trio.BrokenResourceError, "not of")],
)
async def test_why_tls_failed_is_told_to_the_program(tmp_path, is_known, kind, words):
    """RFC 5922 §7.2: it ends in no connection; whoever calls has to know what to mend."""
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    shown = trivox.TlsConfig(certificate=authority.issue("server", "another.example.org"))
    ca = (authority if is_known else other).root
    async with (
        trivox.open_client(listen=["sips:127.0.0.1:0"], tls=shown) as server,
        trivox.open_client(tls=trivox.TlsConfig(ca=ca)) as caller,
    ):
        with pytest.raises(trivox.CallFailedError) as failed:
            async with caller.dial(server.listening_on[0]):
                pass
        with pytest.raises(trivox.TransportError, match=words) as asked:
            await caller.request("OPTIONS", server.listening_on[0])

    cause = failed.value.__cause__
    assert (failed.value.sip_code, type(cause)) == (503, trivox.ConnectionNetworkError)
    assert words in failed.value.reason
    assert isinstance(cause.__cause__, kind)
    assert isinstance(asked.value.__cause__, trivox.ConnectionNetworkError)


async def test_a_refused_connection_says_so():
    async with trivox.open_client() as caller:
        with pytest.raises(trivox.CallFailedError, match="refused"):
            async with caller.dial("sip:bob@127.0.0.1:9;transport=tcp"):
                pass

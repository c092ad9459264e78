"""Certificates that change under load: nobody notices (RFC 5922 §4, threats of expired ones)."""

from __future__ import annotations

import trio
from tests.net.certificates import Authority

from trivox.client.opening import open_client
from trivox.net.tls import TlsConfig
from trivox.testing import Link
from trivox.testing.fake_engine import fake_media

RATE, SECONDS = 50, 4.0


async def test_no_call_is_dropped_while_certificates_rotate(autojump_clock, tmp_path) -> None:
    """50 calls a second for 4 s; after 2 s another authority's certificate takes over."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    shown = old.issue("server", "10.0.0.9")
    link = Link(1, delay=0.01)
    media, _ = fake_media(now=trio.current_time(), set_up=0.0)

    def client(host: str, **settings):
        sockets = link.host(host)
        return open_client(engine=media, sockets=sockets, seed=host.encode() * 4, **settings)

    async def handler(call) -> None:
        await call.answer()
        await call.wait_ended()

    lengths: list[float] = []

    async def call_for_a_second(caller) -> None:
        async with caller.dial("sips:bob@10.0.0.9") as call:
            await trio.sleep(1)
            assert call.end is None
            lengths.append(call.duration)

    async def keep_calling(caller, seconds: float) -> None:
        for _ in range(int(seconds * RATE)):
            nursery.start_soon(call_for_a_second, caller)
            await trio.sleep(1 / RATE)

    server_tls = TlsConfig(certificate=shown)
    async with (
        client("10.0.0.9", listen=["sips:10.0.0.9"], tls=server_tls) as server,
        client("10.0.0.1", listen=["sip:10.0.0.1"], tls=TlsConfig(ca=old.root)) as early,
        client("10.0.0.2", listen=["sip:10.0.0.2"], tls=TlsConfig(ca=new.root)) as late,
        trio.open_nursery() as serving,
    ):
        await serving.start(server.serve, handler)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_calling, early, SECONDS)
            await trio.sleep(SECONDS / 2)
            shown.write_bytes(new.issue("renewed", "10.0.0.9").read_bytes())
            server.reload_certificates()
            nursery.start_soon(keep_calling, late, SECONDS / 2)

        # Who was connected goes on; who comes later sees the new certificate at once.
        assert len(lengths) == int(SECONDS * RATE * 1.5)
        assert min(lengths) > 0.9
        assert server.statistics().sip.core["refused"] == 0
        serving.cancel_scope.cancel()

"""Packets as they came, on the real engine in virtual time: what each of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from tests.media.pairs import connect_pair

from trivox.media.engine import EngineEventKind as Kind
from trivox.media.rtp_tap import RtpPacket

if TYPE_CHECKING:
    from trio.testing import MockClock

    from trivox.media.driven import DrivenMedia

pytestmark = pytest.mark.native

HOSTS = ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(("transport", "codec"), [("plain", "PCMU"), ("ice", "opus")])
async def test_sound_and_digits_are_told_apart(
    autojump_clock: MockClock, media: DrivenMedia, transport: str, codec: str
) -> None:
    caller, callee = await connect_pair(media, transport, HOSTS)
    tap = media.sessions.open_rtp_tap(callee.session, batch=50)
    media.sessions.send_dtmf(caller.session, "5", 0.1, 0.07)

    await callee.wait_for(Kind.DTMF)
    await trio.sleep(0.5)

    packets = [RtpPacket(*packet) for packet in media.sessions.take_rtp(tap, 256)[0]]
    assert {packet.codec for packet in packets} == {codec, "telephone-event"}
    assert {packet.payload[0] for packet in packets if packet.codec == "telephone-event"} == {5}
    assert len({(packet.codec, packet.payload_type) for packet in packets}) == 2

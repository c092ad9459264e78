"""A call that forks, whose descriptions have no candidates: each branch is found by fragments."""

from __future__ import annotations

import re

import pytest
import trio
from tests.call.test_full_trickle import FULL, fragment, to_tag
from tests.call.test_trickle import FRAGMENT, SILENT, TAKES, native
from tests.media.pairs import open_side, read_wav, tone_power

from trivox.call.sdp import fragment_of

pytestmark = pytest.mark.native

TONES = {"a": 400.0, "b": 1000.0}
PACKAGE = [("Info-Package", "trickle-ice")]


def without_candidates(sdp: str) -> str:
    return re.sub(r"a=(candidate:.*|end-of-candidates)\r\n", "", sdp)


def inform(far, call, invite, tag: str, body: str, cseq: int = 1) -> None:
    """Send a fragment in the early dialog of a branch."""
    far.request(
        "INFO",
        "sip:us@10.0.0.1:5060",
        call_id=call.sip_call_id,
        from_tag=tag,
        to_tag=invite.from_tag,
        cseq=cseq,
        headers=PACKAGE,
        body=body,
        content_type=FRAGMENT,
    )


async def test_the_branch_that_wins_is_found_by_its_own_fragments(autojump_clock, world, tmp_path):
    """RFC 8840 §4.3: those of a branch that was not heard when they came are looked into later."""
    made = native(world, ice_servers=SILENT)
    async with made as (client, far):
        call = client.create_call(far.uri, FULL)
        await call.start()
        invite = await far.expect("INVITE")
        media, sides, answers = client._wiring.media, {}, {}
        for number, (tag, tone) in enumerate(TONES.items()):
            side = sides[tag] = open_side(media, "ice", f"10.0.1.{number + 1}")
            offer = without_candidates(invite.body.decode())
            media.sessions.set_remote(side.session, offer, "offer", "")
            answers[tag] = media.sessions.create_answer(side.session)
            media.sessions.play_tone(side.session, [tone], [], 60.0, -12.0)
            body = without_candidates(answers[tag])
            far.respond(invite, 183, to_tag=tag, headers=[TAKES], body=body)
        for _ in TONES:
            info = await fragment(far)
            session = sides[to_tag(info)].session
            media.sessions.take_fragment_untrusted(session, info.body.decode())
        for tag in TONES:
            inform(far, call, invite, tag, fragment_of(answers[tag]))
            await far.expect(200)
        await trio.sleep(1.0)
        before = call.statistics().packets_received
        far.respond(invite, 200, to_tag="a", headers=[TAKES], body=without_candidates(answers["a"]))
        await far.expect("ACK")
        await call.wait_connected()
        async with call.recording(tmp_path / "heard.wav", side="received"):
            await trio.sleep(3.0)
        refused = call.statistics().connection.refused_candidates
        call.hangup()

    rate, _, samples = read_wav(tmp_path / "heard.wav")
    assert before > 0
    assert refused == 0
    assert tone_power(samples[-rate:], rate, TONES["a"]) > 0.9

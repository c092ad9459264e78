"""A far end that changes the session and never acknowledges our answer to that."""

from __future__ import annotations

import trio

from trivox.call.events import EndReason
from trivox.testing.far_end import SDP

OWN_URI = "sip:us@10.0.0.1"


async def test_a_reinvite_whose_answer_is_never_acknowledged_ends_the_call(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        far.invite(OWN_URI)
        call = await calls.__anext__()
        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()
        far.request("INVITE", ok.dialog()[5], to_tag=ok.key()[4], cseq=2, body=SDP)
        await far.expect(200)
        start = trio.current_time()
        far.respond(await far.expect("BYE"), 200)
        end = await call.wait_ended()
        calls.close()

    assert end.reason is EndReason.CONNECTION_LOST
    assert end.at - start > 31.0

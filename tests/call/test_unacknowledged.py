"""A far end that changes the session and never acknowledges our answer to that."""

from __future__ import annotations

import trio

from trivox.call.events import EndReason
from trivox.testing.far_end import SDP

from .conftest import answered

OWN_URI = "sip:us@10.0.0.1"


async def test_a_reinvite_whose_answer_is_never_acknowledged_ends_the_call(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN_URI)
        far.request("INVITE", ok.dialog()[5], to_tag=ok.key()[4], cseq=2, body=SDP)
        await far.expect(200)
        start = trio.current_time()
        far.respond(await far.expect("BYE"), 200)
        end = await call.wait_ended()

    assert end.reason is EndReason.CONNECTION_LOST
    assert end.at - start > 31.0

"""Who is at the far end, and why it ended: connected identity (RFC 4916), Reason (RFC 3326)."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import EndReason
from trivox.sip.reason import Cause
from trivox.testing.far_end import SDP

from .conftest import answered

OWN_URI = "sip:bot@10.0.0.1:5060"


def _ask(far, ok, method: str, value: str, *, body: str = "") -> None:
    """Send a request within the dialog whose From names somebody."""
    far.send(
        f"{method} {OWN_URI} SIP/2.0",
        [
            ("Via", f"SIP/2.0/UDP {far.local[0]}:{far.local[1]};branch=z9hG4bKother"),
            ("Max-Forwards", "70"),
            ("From", f"{value};tag=far-tag"),
            ("To", f"<{OWN_URI}>;tag={ok.key()[4]}"),
            ("Call-ID", "far-call"),
            ("CSeq", f"2 {method}"),
            ("Contact", f"<{far.uri}>"),
            *([("Content-Type", "application/sdp")] if body else []),
        ],
        body,
    )


@pytest.mark.parametrize(("method", "body"), [("UPDATE", ""), ("INVITE", SDP)])
async def test_party_changes_during_the_call(autojump_clock, world, method, body) -> None:
    async with world().with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN_URI)
        seen = []
        call.remote_display_name.watch(lambda new, old: seen.append((old, new)))
        assert call.remote_display_name.value == "Far End"

        _ask(far, ok, method, '"Carol" <sip:carol@example.com>', body=body)
        await far.expect(200)

        assert call.remote_display_name.value == "Carol"
        assert call.remote_sip_uri.value == "sip:carol@example.com"
        assert seen == [("Far End", "Carol")]
        call.hangup()


async def test_request_that_names_the_same_party_changes_nothing(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN_URI)
        seen = []
        call.remote_sip_uri.watch(lambda new, old: seen.append((old, new)))

        _ask(far, ok, "UPDATE", f'"Far End" <{far.uri}>')
        await far.expect(200)

        assert seen == []
        call.hangup()


async def test_bye_with_a_reason_says_why(autojump_clock, world) -> None:
    """RFC 3326 §2."""
    async with world().with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN_URI)
        reason = 'Q.850;cause=16;text="Normal", SIP;cause=480;text="gone"'
        far.request("BYE", OWN_URI, to_tag=ok.key()[4], cseq=2, headers=[("Reason", reason)])
        end = await call.wait_ended()

        assert end.reason is EndReason.REMOTE_ENDED
        assert (end.sip_code, end.sip_reason) == (480, "Normal")
        assert end.causes == (Cause("Q.850", 16, "Normal"), Cause("SIP", 480, "gone"))


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', EndReason.ANSWERED_ELSEWHERE),
        ("SIP;cause=2000", EndReason.REMOTE_ENDED),
        ("Q.850;cause=200", EndReason.REMOTE_ENDED),
    ],
)
async def test_cancel_with_a_reason_says_who_answered(
    autojump_clock, world, reason, expected
) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        branch = far.invite(OWN_URI)
        call = await calls.__anext__()
        far.request("CANCEL", OWN_URI, branch=branch, headers=[("Reason", reason)])
        end = await call.wait_ended()

        assert end.reason is expected
        assert end.sip_code == 487
        assert len(end.causes) == 1


async def test_refusal_with_a_reason_says_why(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 503, headers=[("Reason", "Q.850;cause=34")])
        end = await call.wait_ended()

        assert end.sip_code == 503
        assert end.causes == (Cause("Q.850", 34),)


async def test_our_reason_goes_with_cancel_and_bye(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        await trio.sleep(0.1)
        call.hangup(reason='SIP;cause=200;text="Call completed elsewhere"')
        cancel = await far.expect("CANCEL")
        assert cancel.header("Reason").startswith("SIP;cause=200")
        assert call.end is None
        far.respond(invite, 487)
        await call.wait_ended()

        other, _ = await answered(client, far, OWN_URI)
        other.hangup(reason="SIP;cause=580")
        assert (await far.expect("BYE")).header("Reason") == "SIP;cause=580"
        assert other.end is None or other.end.causes == ()

"""What a far end may require of us, and how what we do not do is named (RFC 3261 §8.2.2.3)."""

from __future__ import annotations

import pytest

from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"


async def _asked(far, method, *headers, body=""):
    far.request(method, OWN_URI, headers=list(headers), body=body)
    while (response := await far.receive()).status < 200:
        pass
    return response


@pytest.mark.parametrize(
    ("required", "refused"),
    [
        ("norefersub", None),
        ("nosub", None),
        ("ExplicitSub", None),
        ("multiple-refer", "multiple-refer"),
        ("nosub, multiple-refer", "multiple-refer"),
    ],
)
async def test_a_refer_tag_is_taken_or_named(autojump_clock, world, required, refused) -> None:
    """RFC 4488 §4 and both of RFC 7614 are understood, RFC 5368 is not, and 420 says so."""
    async with world().with_far_end() as (_, far):
        response = await _asked(
            far, "REFER", ("Require", required), ("Refer-To", "<sip:c@10.0.0.9>")
        )

    # Outside of a dialog a REFER that is understood is forbidden.
    assert response.status == (420 if refused else 403)
    assert response.header("Unsupported") == refused


@pytest.mark.parametrize("tag", ["nosub", "explicitsub"])
async def test_a_refer_tag_means_nothing_elsewhere(autojump_clock, world, tag) -> None:
    """RFC 7614 §6: in a request that makes no subscription nothing can be made of it."""
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        response = await _asked(far, "INVITE", ("Require", tag), body=SDP)
        calls.close()

    assert (response.status, response.header("Unsupported")) == (420, tag)


async def test_ice_is_known_and_said_to_be(autojump_clock, world) -> None:
    """RFC 5768 §5: in Supported of requests and answers; who requires it gets its call."""
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        options = await _asked(far, "OPTIONS")
        far.request("INVITE", OWN_URI, headers=[("Require", "ice")], body=SDP)
        call = await anext(calls)
        calls.close()
        call.reject(486)
        assert (await far.expect(486)).header("Unsupported") is None
        ours = client.create_call(far.uri)
        await ours.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 486)
        await ours.wait_ended()

    assert "ice" in options.values("Supported")
    assert "ice" in invite.values("Supported")


async def test_what_a_proxy_is_to_do_is_none_of_our_business(autojump_clock, world) -> None:
    """RFC 3261 §20.29: Proxy-Require is read by proxies; `privacy` in it is not refused here."""
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        response = await _asked(far, "OPTIONS", ("Proxy-Require", "privacy"))
        calls.close()

    assert response.status == 200

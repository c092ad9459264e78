"""The proxy in virtual time: calls, forks, cancellations, refusals."""

from __future__ import annotations

import pytest
import trio

DOMAIN = "board.test"
BOARD = "10.0.0.1"


def ok_headers(message):
    return [value for line in message.headers("Record-Route") for value in line.split(", ")]


async def call(caller, callee_phone, callee):
    """Let the callee answer; return (invite sent, invite received, 200 received)."""
    sent = await caller.invite(callee)
    invite = await callee_phone.receive("INVITE")
    callee_phone.answer(invite, 180, "Ringing")
    assert (await caller.receive("SIP/2.0 1")).status == 180
    callee_phone.answer(invite, 200)
    return sent, invite, await caller.receive("SIP/2.0 200")


async def test_a_call_goes_through_with_its_dialog(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board() as switchboard:
        await bob.register()
        _, invite, answer = await call(alice, bob, "bob")

        assert invite.uri == bob.contact
        assert invite.header("Max-Forwards") == "69"
        assert len(invite.values("Via")) == 2
        assert len(ok_headers(answer)) == 2
        assert all(f"@{BOARD}:5060;transport=udp;lr>" in route for route in ok_headers(answer))

        alice.send(alice.inside("ACK", answer))
        ack = await bob.receive("ACK")
        assert (ack.uri, ack.values("Route")) == (bob.contact, [])
        alice.send(alice.inside("BYE", answer, cseq=4))
        bob.answer(await bob.receive("BYE"), 200)
        assert (await alice.receive("SIP/2.0 200")).header("CSeq") == "4 BYE"

        await trio.sleep(100)
        statistics = switchboard.statistics()
        assert statistics.requests == 0
        assert statistics.endpoint.core["transactions"] == 0


async def test_the_fingerprints_of_a_description_pass_untouched(board, phones, autojump_clock):
    """What is between two ends on the signalling path alone leaves the keys of media to them.

    RFC 7879 §4.
    """
    lines = [
        "v=0",
        "m=audio 4000 UDP/TLS/RTP/SAVP 0",
        "a=setup:actpass",
        "a=fingerprint:sha-256 4A:AD:B9:B1",
        "a=tls-id:abc3de65cddef001be82",
    ]
    description = "".join(f"{line}\r\n" for line in lines)
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board(guests=True):
        await bob.register()
        text = alice.request("INVITE", f"sip:bob@{DOMAIN}")
        text = text.replace(f"From: <sip:alice@{DOMAIN}>", "From: <sip:alice@elsewhere.example>")
        content = f"Content-Type: application/sdp\r\nContent-Length: {len(description)}"
        alice.send(text.replace("Content-Length: 0", content) + description)
        invite = await bob.receive("INVITE")
        bob.answer(invite, 486, contact=False)
        await alice.receive("SIP/2.0 486")

    assert invite.body.decode() == description


async def test_the_callee_can_hang_up(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        _, invite, answer = await call(alice, bob, "bob")
        alice.send(alice.inside("ACK", answer))
        await bob.receive("ACK")

        routes = tuple(f"Route: {route}" for route in ok_headers(invite))
        bob.send(
            bob.request(
                "BYE",
                alice.contact,
                to=invite.header("From"),
                headers=routes,
                call_id=invite.header("Call-ID"),
            ).replace(";tag=bobt", ";tag=bob-tag")
        )
        alice.answer(await alice.receive("BYE"), 200)

        assert (await bob.receive("SIP/2.0 200")).header("CSeq") == "1 BYE"


async def test_a_200_that_is_repeated_is_forwarded_each_time(board, phones, autojump_clock):
    """RFC 6026 §7.1."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        _, invite, answer = await call(alice, bob, "bob")

        bob.answer(invite, 200)
        bob.answer(invite, 200)

        for _ in range(2):
            assert (await alice.receive("SIP/2.0 200")).raw == answer.raw
        await alice.hears_nothing(during=20)


async def test_a_call_forks_and_the_others_are_cancelled(board, phones, autojump_clock):
    alice = phones("alice", 2)
    bobs = [phones("bob", number) for number in (3, 4, 5)]
    async with board():
        for bob in bobs:
            await bob.register()
        await alice.invite("bob")
        invites = [await bob.receive("INVITE") for bob in bobs]
        for bob, invite in zip(bobs[:2], invites[:2], strict=True):
            bob.answer(invite, 180, "Ringing", tag=bob.host)
        assert {(await alice.receive("SIP/2.0 180")).key()[4] for _ in range(2)} == {
            "10.0.0.3",
            "10.0.0.4",
        }

        bobs[0].answer(invites[0], 200)
        assert (await alice.receive("SIP/2.0 200")).key()[4] == "bob-tag"
        cancel = await bobs[1].receive("CANCEL")
        assert cancel.header("Via") == invites[1].headers("Via")[0]
        assert cancel.header("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
        bobs[1].answer(cancel, 200)
        bobs[1].answer(invites[1], 487, "Request Terminated")
        await bobs[1].receive("ACK")

        # The third has said nothing yet, so that its CANCEL waits for a 1xx.
        bobs[2].answer(invites[2], 180, "Ringing")
        await bobs[2].receive("CANCEL")
        bobs[2].answer(invites[2], 200, tag="too-late")
        assert (await alice.receive("SIP/2.0 200")).key()[4] == "too-late"
        await alice.hears_nothing()


async def test_the_best_of_several_refusals_is_forwarded(board, phones, autojump_clock):
    alice = phones("alice", 2)
    bobs = [phones("bob", number) for number in (3, 4, 5)]
    async with board():
        for bob in bobs:
            await bob.register()
        await alice.invite("bob")
        for bob, status in zip(bobs, (500, 486, 302), strict=True):
            bob.answer(await bob.receive("INVITE"), status, "No")
            await bob.receive("ACK")

        assert (await alice.receive("SIP/2.0")).status == 302


async def test_a_6xx_cancels_the_others_and_wins(board, phones, autojump_clock):
    alice, one, other = phones("alice", 2), phones("bob", 3), phones("bob", 4)
    async with board():
        await one.register()
        await other.register()
        await alice.invite("bob")
        first, second = await one.receive("INVITE"), await other.receive("INVITE")
        other.answer(second, 180, "Ringing")
        await alice.receive("SIP/2.0 180")

        one.answer(first, 603, "Decline")
        other.answer(await other.receive("CANCEL"), 200)
        await alice.hears_nothing(during=1)
        other.answer(second, 487, "Request Terminated")

        assert (await alice.receive("SIP/2.0")).status == 603


async def test_a_503_of_one_phone_is_a_500_of_the_proxy(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        await alice.invite("bob")
        bob.answer(await bob.receive("INVITE"), 503, "Service Unavailable")

        assert (await alice.receive("SIP/2.0")).status == 500


async def test_challenges_of_two_branches_are_joined(board, phones, autojump_clock):
    alice, one, other = phones("alice", 2), phones("bob", 3), phones("bob", 4)
    async with board():
        await one.register()
        await other.register()
        await alice.invite("bob")
        for phone, realm in ((one, "one"), (other, "other")):
            challenge = f'WWW-Authenticate: Digest realm="{realm}", nonce="n"'
            phone.answer(await phone.receive("INVITE"), 401, "Unauthorized", headers=(challenge,))

        answer = await alice.receive("SIP/2.0")
        assert answer.status == 401
        assert len(answer.headers("WWW-Authenticate")) == 2


async def test_the_caller_cancels_a_ringing_call(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        sent = await alice.invite("bob")
        invite = await bob.receive("INVITE")
        bob.answer(invite, 180, "Ringing")
        await alice.receive("SIP/2.0 180")

        reason = 'Reason: Q.850;cause=16;text="gone"'
        alice.send(alice.cancel_of(sent).replace("\r\n\r\n", f"\r\n{reason}\r\n\r\n"))
        assert (await alice.receive("SIP/2.0 200")).header("CSeq") == "2 CANCEL"
        cancel = await bob.receive("CANCEL")
        assert cancel.header("Reason") == 'Q.850;cause=16;text="gone"'
        bob.answer(cancel, 200)
        bob.answer(invite, 487, "Request Terminated")

        final = await alice.receive("SIP/2.0")
        assert final.status == 487
        alice.send(alice.ack_of(final))
        await alice.hears_nothing(during=40)


async def test_a_cancel_that_crosses_the_200_changes_nothing(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        sent = await alice.invite("bob")
        invite = await bob.receive("INVITE")
        bob.answer(invite, 180, "Ringing")
        await alice.receive("SIP/2.0 180")

        alice.send(alice.cancel_of(sent))
        bob.answer(invite, 200)

        answers = [await alice.receive("SIP/2.0 200") for _ in range(2)]
        assert {answer.header("CSeq") for answer in answers} == {"2 CANCEL", "2 INVITE"}
        answer = next(one for one in answers if one.method == "INVITE")
        alice.send(alice.inside("ACK", answer))
        await bob.receive("ACK")


async def test_a_cancelled_phone_that_says_no_more_is_given_up(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board() as switchboard:
        await bob.register()
        sent = await alice.invite("bob")
        bob.answer(await bob.receive("INVITE"), 180, "Ringing")
        await alice.receive("SIP/2.0 180")
        began = trio.current_time()

        alice.send(alice.cancel_of(sent))
        await alice.receive("SIP/2.0 200")
        final = await alice.receive("SIP/2.0", within=60)

        assert final.status == 487
        assert trio.current_time() - began == pytest.approx(32, abs=0.1)
        alice.send(alice.ack_of(final))
        await trio.sleep(200)
        assert switchboard.statistics().requests == 0


async def test_a_call_that_rings_for_ever_ends_by_timer_c(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board(timer_c=185):
        await bob.register()
        await alice.invite("bob")
        invite = await bob.receive("INVITE")
        bob.answer(invite, 180, "Ringing")
        await alice.receive("SIP/2.0 180")
        await trio.sleep(100)
        began = trio.current_time()
        bob.answer(invite, 183, "Session Progress")  # starts Timer C again
        await alice.receive("SIP/2.0 183")

        bob.answer(await bob.receive("CANCEL", within=300), 200)
        assert trio.current_time() - began == pytest.approx(185, abs=0.1)
        bob.answer(invite, 487, "Request Terminated")

        assert (await alice.receive("SIP/2.0")).status == 487


async def test_a_phone_that_says_nothing_is_a_408(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        await alice.invite("bob")
        assert (await alice.receive("SIP/2.0")).status == 100

        assert (await alice.receive("SIP/2.0", within=40)).status == 408


async def test_a_2xx_after_the_408_is_forwarded_all_the_same(board, phones, autojump_clock):
    """RFC 3261 §16.7 step 5: whoever called is to end that call, 64·T1 after the refusal as well."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        await alice.invite("bob")
        invite = await bob.receive("INVITE")
        refusal = await alice.receive("SIP/2.0 408", within=40)

        bob.answer(invite, 200)
        assert (await alice.receive("SIP/2.0 200")).method == "INVITE"
        alice.send(alice.ack_of(refusal))
        await trio.sleep(31)
        bob.answer(invite, 200)  # also long after the refusal has its ACK
        answer = await alice.receive("SIP/2.0 200")
        alice.send(alice.inside("ACK", answer))
        await bob.receive("ACK")
        alice.send(alice.inside("BYE", answer, cseq=4))
        bob.answer(await bob.receive("BYE"), 200)
        assert (await alice.receive("SIP/2.0 200")).header("CSeq") == "4 BYE"


async def test_another_request_than_invite_gets_no_408(board, phones, autojump_clock):
    """RFC 4320 §4.2."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board() as switchboard:
        await bob.register()
        await alice.authorized("MESSAGE", f"sip:bob@{DOMAIN}")
        await bob.receive("MESSAGE")

        await trio.sleep(100)

        alice.inbox += [data for data, _ in alice.socket.receive(64)]
        assert not any(b"408" in data[:20] for data in alice.inbox)
        assert switchboard.statistics().requests == 0


@pytest.mark.parametrize(("method", "status"), [("INVITE", 200), ("INVITE", 486), ("MESSAGE", 200)])
async def test_a_response_without_its_way_back_is_a_502(
    board, phones, autojump_clock, method, status
):
    """RFC 3261 §16.7 step 3: it cannot be forwarded, and the caller is not to wait for it."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board() as switchboard:
        await bob.register()
        await alice.authorized(method, f"sip:bob@{DOMAIN}")
        bob.answer(await bob.receive(method), status, "?", most_vias=1)

        assert (await alice.receive("SIP/2.0")).status == 502

        await trio.sleep(100)
        statistics = switchboard.statistics()
        assert (statistics.requests, statistics.endpoint.core["transactions"]) == (0, 0)


async def test_a_message_is_forwarded_and_answered(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board() as switchboard:
        await bob.register()
        await alice.authorized("MESSAGE", f"sip:bob@{DOMAIN}")
        message = await bob.receive("MESSAGE")
        bob.answer(message, 202, "Accepted")

        assert message.headers("Record-Route") == []
        assert (await alice.receive("SIP/2.0")).status == 202
        assert switchboard.statistics().requests == 0


@pytest.mark.parametrize(
    ("uri", "headers", "status"),
    [
        (f"sip:nobody@{DOMAIN}", (), 404),
        ("sip:bob@elsewhere.test", (), 404),
        (f"sip:carol@{DOMAIN}", (), 480),
    ],
)
async def test_who_cannot_be_reached_is_told(board, phones, autojump_clock, uri, headers, status):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        await alice.authorized("INVITE", uri, headers=headers)

        assert (await alice.receive("SIP/2.0")).status == status


@pytest.mark.parametrize(
    ("uri", "headers", "status"),
    [
        (f"sip:bob@{DOMAIN}", ("Max-Forwards: 0",), 483),
        (f"sip:bob@{DOMAIN}", ("Proxy-Require: gin, other",), 420),
        (f"sip:bob@{DOMAIN}", ("Privacy: header;critical", "Proxy-Require: privacy"), 500),
        ("tel:+15550100", (), 416),
        (f"sip:{DOMAIN}", (), 405),
        (f"sip:bob@{DOMAIN}", ("Max-Forwards: many",), 400),
    ],
)
async def test_a_bad_request_gets_its_answer(board, phones, autojump_clock, uri, headers, status):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        alice.send(alice.request("INVITE", uri, headers=headers))

        answer = await alice.receive("SIP/2.0")
        assert answer.status == status
        named = headers[-1].partition(": ")[2] if status == 420 else None
        assert answer.header("Unsupported") == named
        await bob.hears_nothing()


async def test_a_request_that_comes_back_is_a_loop(board, phones, autojump_clock):
    """RFC 3261 §16.3."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        await alice.invite("bob")
        invite = await bob.receive("INVITE")

        text = invite.raw.decode().replace(bob.contact, f"sip:bob@{DOMAIN}", 1)
        via = "Via: SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bKback\r\n"
        bob.send(text.replace("Via:", f"{via}Via:", 1))

        assert (await bob.receive("SIP/2.0 4")).status == 482


async def test_options_to_the_switchboard_are_answered(board, phones, autojump_clock):
    alice = phones("alice", 2)
    async with board():
        alice.send(alice.request("OPTIONS", f"sip:{DOMAIN}"))

        answer = await alice.receive("SIP/2.0")
        assert answer.status == 200
        assert "INVITE" in answer.header("Allow")


async def test_a_caller_may_only_call_as_itself(board, phones, autojump_clock):
    carol, bob = phones("carol", 2), phones("bob", 3)
    async with board():
        await bob.register()
        carol.name = "alice"
        await carol.invite("bob")

        assert (await carol.receive("SIP/2.0")).status == 403
        await bob.hears_nothing()


async def test_a_stranger_is_asked_and_a_guest_is_not(board, phones, autojump_clock):
    stranger, bob = phones("alice", 2), phones("bob", 3)
    text = stranger.request("INVITE", f"sip:bob@{DOMAIN}")
    text = text.replace(f"alice@{DOMAIN}", "alice@elsewhere.test")
    async with board():
        stranger.send(text)
        assert (await stranger.receive("SIP/2.0")).status == 407
    async with board(guests=True):
        await bob.register()
        stranger.send(text.replace("branch=z9hG4bK", "branch=z9hG4bKnew"))
        assert (await bob.receive("INVITE")).header("From").startswith("<sip:alice@elsewhere")


async def test_a_forged_route_leads_nowhere(board, phones, autojump_clock):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        _, _, answer = await call(alice, bob, "bob")
        forged = alice.inside("BYE", answer).replace("Route: <sip:", "Route: <sip:A")
        forged = forged.replace(f"BYE {bob.contact}", "BYE sip:x@10.0.0.3:5061")

        alice.send(forged)

        assert (await alice.receive("SIP/2.0")).status == 407


async def test_a_stray_200_is_dropped(board, phones, autojump_clock):
    """RFC 6026 §7.2."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        _, invite, _ = await call(alice, bob, "bob")
        await trio.sleep(100)

        bob.answer(invite, 200)

        with pytest.raises(trio.TooSlowError):
            await alice.receive("SIP/2.0 200")


async def test_a_request_that_comes_by_two_branches_is_kept_for_neither(
    board, phones, autojump_clock
):
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board() as switchboard:
        await bob.register()
        _, _, answer = await call(alice, bob, "bob")
        alice.send(alice.inside("ACK", answer))
        await bob.receive("ACK")
        bye = alice.inside("BYE", answer, cseq=4)

        alice.send(bye)
        alice.send(bye.replace("branch=z9hG4bK", "branch=z9hG4bKother"))
        for status in (200, 481):
            bob.answer(await bob.receive("BYE"), status)
        await trio.sleep(100)

        assert switchboard.statistics().requests == 0

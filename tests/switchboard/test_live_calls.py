"""A user's calls count until they end, as far as the proxy in their path sees it (threat 9)."""

from __future__ import annotations

import dataclasses

import pytest
import trio

from trivox import DoorLimits
from trivox._native import Message
from trivox.net.endpoint import Endpoint
from trivox.sip.quota import Quota
from trivox.switchboard.flow_token import Hop
from trivox.switchboard.live_calls import LiveCalls

ONE = DoorLimits(identity_calls=1)


class Calls:
    """What alice and those she calls do."""

    def __init__(self, phones) -> None:
        self.alice, self.bob, self.carol = (
            phones(name, number) for number, name in enumerate(("alice", "bob", "carol"), start=2)
        )

    async def register(self):
        for phone in (self.bob, self.carol):
            assert (await phone.register()).status == 200

    async def call(self, phone=None, *, headers=()):
        """Call and be answered; the 200 as alice has it, and the INVITE as the callee has it."""
        phone = phone or self.carol
        await self.alice.invite(phone.name)
        invite = await phone.receive("INVITE")
        phone.answer(invite, 200, headers=headers)
        answer = await self.alice.receive("SIP/2.0 200")
        self.alice.send(self.alice.inside("ACK", answer, cseq=2))
        await phone.receive("ACK")
        return answer, invite

    async def ask(self, method, answer, status, *, cseq=3, headers=()):
        """Ask carol within the call; she answers with `status`."""
        self.alice.send(self.alice.inside(method, answer, cseq=cseq))
        self.carol.answer(await self.carol.receive(method), status, headers=headers)
        while (final := await self.alice.receive("SIP/2.0")).status < 200:
            pass
        assert final.status == status

    async def may_call(self) -> bool:
        """Whether alice may have one more call; it is refused by who is called."""
        await self.alice.invite("bob")
        while (answer := await self.alice.receive("SIP/2.0")).status == 100:
            self.bob.answer(await self.bob.receive("INVITE"), 486, contact=False)
        self.alice.send(self.alice.ack_of(answer))
        if answer.status == 486:
            await self.bob.receive("ACK")
        return answer.status == 486


@pytest.fixture
def calls(phones):
    return Calls(phones)


@pytest.mark.parametrize("status", [200, 481])
async def test_a_call_counts_until_its_bye_has_reached_the_other_side(
    autojump_clock, calls, board, status
) -> None:
    async with board(door=ONE) as own:
        await calls.register()
        answer, _ = await calls.call()
        await trio.sleep(3000)
        assert not await calls.may_call()

        await calls.ask("INFO", answer, 200)
        await calls.ask("BYE", answer, 500, cseq=4)
        assert not await calls.may_call()

        await calls.ask("BYE", answer, status, cseq=5)
        assert await calls.may_call()
        assert own.statistics().refused_by_identity == 2


async def test_the_bye_of_who_was_called_counts_as_well(autojump_clock, calls, board) -> None:
    alice, carol = calls.alice, calls.carol
    async with board(door=ONE):
        await calls.register()
        _, invite = await calls.call()

        routes = tuple(f"Route: {value}" for value in invite.values("Record-Route"))
        bye = carol.request(
            "BYE",
            alice.contact,
            to=invite.header("From"),
            headers=routes,
            call_id=invite.header("Call-ID"),
            tag="-tag",
        )
        carol.send(bye)
        alice.answer(await alice.receive("BYE"), 200)
        await carol.receive("SIP/2.0 200")

        assert await calls.may_call()


async def test_a_bye_that_nobody_answers_ends_the_call(autojump_clock, calls, board) -> None:
    """RFC 3261 §15.1.1."""
    async with board(door=ONE):
        await calls.register()
        answer, _ = await calls.call()
        calls.alice.send(calls.alice.inside("BYE", answer))
        await trio.sleep(31)
        assert not await calls.may_call()

        await trio.sleep(2)

        assert await calls.may_call()


async def test_a_bye_that_another_phone_answers_ends_nothing(autojump_clock, calls, board) -> None:
    """Its Route is the switchboard's own, of another call: signed, and yet a lie."""
    alice, bob = calls.alice, calls.bob
    async with board(door=DoorLimits(identity_calls=2)):
        await calls.register()
        paid, _ = await calls.call(calls.carol)
        own, _ = await calls.call(bob)
        forged = alice.inside("BYE", own, cseq=9)
        forged = forged.replace(own.header("Call-ID"), paid.header("Call-ID"))
        alice.send(forged.replace("bob-tag", "carol-tag"))
        bob.answer(await bob.receive("BYE"), 200)
        assert (await alice.receive("SIP/2.0 200")).header("CSeq") == "9 BYE"

        assert not await calls.may_call()


async def test_a_200_that_is_repeated_after_the_end_brings_no_call_back(
    autojump_clock, calls, board
) -> None:
    async with board(door=ONE):
        await calls.register()
        answer, invite = await calls.call()
        await calls.ask("BYE", answer, 200)

        calls.carol.answer(invite, 200)
        assert (await calls.alice.receive("SIP/2.0 200")).header("CSeq") == "2 INVITE"

        assert await calls.may_call()


async def test_a_2xx_after_the_refusal_counts(autojump_clock, calls, board) -> None:
    """RFC 3261 §16.7 step 5: it is forwarded, so it may be a call."""
    alice, carol = calls.alice, calls.carol
    async with board(door=ONE):
        await calls.register()
        await alice.invite("carol")
        invite = await carol.receive("INVITE")
        alice.send(alice.ack_of(await alice.receive("SIP/2.0 408", within=40)))
        assert await calls.may_call()

        carol.answer(invite, 200)
        answer = await alice.receive("SIP/2.0 200")
        assert not await calls.may_call()

        carol.inbox.clear()
        await calls.ask("BYE", answer, 200)
        assert await calls.may_call()


async def test_a_session_that_nobody_refreshes_is_over(autojump_clock, calls, board) -> None:
    """RFC 4028 §8: a proxy knows by the session timer which calls are gone."""
    timer = ("Session-Expires: 90;refresher=uac",)
    async with board(door=ONE):
        await calls.register()
        answer, _ = await calls.call(headers=timer)
        await trio.sleep(60)
        await calls.ask("UPDATE", answer, 200, headers=timer)
        await trio.sleep(80)
        assert not await calls.may_call()

        await trio.sleep(11)

        assert await calls.may_call()


@pytest.mark.parametrize("time", [0, 600])
async def test_how_long_a_call_counts_unseen_is_a_setting(
    autojump_clock, calls, board, time
) -> None:
    async with board(door=DoorLimits(identity_calls=1, identity_call_time=time)):
        await calls.register()
        await calls.call()
        assert await calls.may_call() == (time == 0)
        await trio.sleep(time)

        assert await calls.may_call()


@pytest.mark.parametrize("target", ["", "sip:x@elsewhere.invalid"])
@pytest.mark.parametrize("hangs_up", ["alice", "bob"])
async def test_a_call_ends_whose_other_side_has_lost_its_connection(
    autojump_clock, monkeypatch, link, board, agent, nursery, hangs_up, target
) -> None:
    """A browser that is reloaded: no BYE finds it, and its user is not shut out for hours.

    A BYE that asks for somebody else is none: the other side may be called back by its own target.
    """
    listen = [f"sip:10.0.0.1:{5060 + n};transport={kind}" for n, kind in enumerate(("udp", "ws"))]
    users = {"alice": "a-secret", "bob": "b-secret"}
    async with board(listen=listen, users=users, door=ONE) as own:
        kinds = ("udp", "ws") if hangs_up == "alice" else ("ws", "udp")
        alice = await agent(own, "alice", kinds[0], link.host("10.0.0.2"))
        bob = await agent(own, "bob", kinds[1], link.host("10.0.0.3"))
        await bob.register()
        answer = await alice.call(bob.account.uri)
        await bob.until(lambda: bob.acks)
        lost = bob if hangs_up == "alice" else alice
        lost.endpoint.close_flow(lost.flow_of())
        await trio.sleep(1)
        own_request = Endpoint.request

        def request(endpoint, output, **way):
            if output.method == "BYE" and target:
                output = dataclasses.replace(output, uri=target)
            return own_request(endpoint, output, **way)

        monkeypatch.setattr(Endpoint, "request", request)
        if hangs_up == "alice":
            gone = await alice.hang_up(answer)
            await bob.register()
        else:
            gone = await bob.hang_up_called(bob.requests[-1])

        assert gone.status == 480
        assert (await alice.call(bob.account.uri)).status == (480 if target else 200)
        nursery.cancel_scope.cancel()


async def test_a_bye_that_goes_nowhere_by_its_target_ends_nothing(
    autojump_clock, calls, board
) -> None:
    """The way of the dialog is there: who names another target has not hung up."""
    async with board(door=ONE):
        await calls.register()
        answer, _ = await calls.call()
        target = answer.header("Contact").strip("<>")
        bye = calls.alice.inside("BYE", answer)
        calls.alice.send(bye.replace(f"BYE {target}", "BYE sip:x@board.test;gr=nobody", 1))
        assert (await calls.alice.receive("SIP/2.0")).status >= 400

        assert not await calls.may_call()


# The table alone.

ALICE, BOB, CAROL = (Hop(1, (f"10.0.0.{number}", 5060)) for number in (2, 3, 4))


def message(method, status=200, *, callee="bob", call_id="call"):
    return Message.parse(
        f"SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=alice\r\n"
        f"To: <sip:b@b>;tag={callee}\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\n"
        "Content-Length: 0\r\n\r\n".encode()
    )


@pytest.fixture
def quota():
    return Quota(per_second=None, at_once=1, capacity=10)


def test_a_forked_call_counts_once_and_until_all_who_took_it_are_gone(quota) -> None:
    own = LiveCalls(quota, 600.0)
    own.begin(1, "alice")
    for callee, hop in (("bob", BOB), ("carol", CAROL)):
        own.answered(1, "alice", message("INVITE", callee=callee), (ALICE, hop), 0.0)
    own.retire(1)

    for callee, hop in (("bob", BOB), ("carol", CAROL)):
        assert quota.refusal("alice", 1.0) is not None
        found = own.find(message("BYE", callee=callee), hop)
        own.take_answer(found, message("BYE", callee=callee), 1.0)

    assert quota.refusal("alice", 1.0) is None
    assert len(own) == 0


def test_who_took_a_call_that_goes_on_ringing_does_not_end_it(quota) -> None:
    own = LiveCalls(quota, 600.0)
    own.begin(1, "alice")
    own.answered(1, "alice", message("INVITE"), (ALICE, BOB), 0.0)
    own.take_silence(own.find(message("BYE"), BOB))
    assert quota.refusal("alice", 1.0) is not None

    own.retire(1)

    assert quota.refusal("alice", 1.0) is None


def test_a_dialog_is_found_from_either_side_and_by_its_own_hops(quota) -> None:
    own = LiveCalls(quota, 600.0)
    own.answered(1, "alice", message("INVITE"), (ALICE, BOB), 0.0)
    back = Message.parse(
        message("BYE")
        .raw.replace(b"tag=alice", b"tag=x")
        .replace(b"tag=bob", b"tag=alice")
        .replace(b"tag=x", b"tag=bob")
    )

    assert own.find(message("BYE"), BOB) is own.find(back, ALICE) is not None
    assert own.find(message("BYE"), CAROL) is own.find(back, CAROL) is None
    assert own.find(message("BYE", callee="other"), BOB) is None


def test_what_is_remembered_is_bounded_and_the_oldest_dialog_makes_room(quota) -> None:
    own = LiveCalls(quota, 600.0, capacity=3)
    for number in range(10):
        own.answered(
            number, f"user{number}", message("INVITE", call_id=str(number)), (ALICE, BOB), 0.0
        )

    assert len(own) == 3
    assert [quota.refusal(f"user{number}", 1.0) is None for number in (6, 7)] == [True, False]


def test_a_call_that_is_taken_again_and_again_drives_out_no_other(quota) -> None:
    """One phone may answer an INVITE under any number of tags; it counts until its time is over."""
    own = LiveCalls(quota, 600.0, capacity=100)
    own.answered(1, "alice", message("INVITE", call_id="paid"), (ALICE, BOB), 0.0)
    for number in range(1000):
        callee = message("INVITE", callee=str(number))
        own.answered(2, "carol", callee, (CAROL, BOB), 0.0)
    own.retire(2)
    for number in range(1000):
        bye = message("BYE", callee=str(number))
        if (found := own.find(bye, BOB)) is not None:
            own.take_answer(found, bye, 1.0)

    assert [quota.refusal(user, 1.0) is None for user in ("alice", "carol")] == [False, False]
    own.handle_timeout(600.0)
    assert len(own) == 0


def test_a_dialog_named_as_another_takes_nothing_from_it(quota) -> None:
    """Who was called knows Call-ID and tags, and may have a call of its own named so."""
    own = LiveCalls(quota, 600.0)
    own.answered(1, "alice", message("INVITE"), (ALICE, BOB), 0.0)
    own.answered(2, "bob", message("INVITE"), (BOB, CAROL), 0.0)
    assert own.find(message("BYE"), CAROL) is None

    own.take_answer(own.find(message("BYE"), BOB), message("BYE"), 1.0)

    assert [quota.refusal(user, 1.0) is None for user in ("alice", "bob")] == [True, False]
    own.handle_timeout(600.0)
    assert len(own) == 0


def test_moments_of_calls_that_are_over_are_cleared_away(quota) -> None:
    own = LiveCalls(quota, 600.0)
    for number in range(1000):
        own.answered(number, "alice", message("INVITE"), (ALICE, BOB), float(number))
        own.take_silence(own.find(message("BYE"), BOB))

    assert len(own) == 0
    assert len(own._ends) <= 64
    own.handle_timeout(2000.0)
    assert own.next_deadline() is None


def test_a_refresh_lets_a_call_count_longer_and_a_refusal_does_not(quota) -> None:
    own = LiveCalls(quota, 600.0)
    own.answered(1, "alice", message("INVITE"), (ALICE, BOB), 0.0)
    dialog = own.find(message("BYE"), BOB)

    own.take_answer(dialog, message("INVITE", 488), 500.0)
    own.take_answer(dialog, message("UPDATE"), 300.0)
    own.handle_timeout(600.0)
    assert (len(own), own.next_deadline()) == (1, 900.0)
    own.handle_timeout(900.0)

    assert (len(own), own.next_deadline()) == (0, None)

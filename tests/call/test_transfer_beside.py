"""REFER beside the dialog it is about: Target-Dialog and GRUUs (RFC 7647 §4, RFC 4538)."""

from __future__ import annotations

import dataclasses
from contextlib import asynccontextmanager

import pytest
import trio
from tests.call.conftest import FAR, answered

import trivox
from trivox.call.events import EndReason, TransferRequested
from trivox.call.states import CallState
from trivox.client import referrals
from trivox.errors import CallEndedError, CallTransferFailedError, CallTransferTimeoutError
from trivox.testing.far_end import SDP, FarEnd

OWN = "sip:bot@10.0.0.1:5060"
TARGET = "sip:carol@10.0.0.9:5060"


class Beside:
    """A call with a scripted far end, which speaks of it out of its dialog."""

    def __init__(self, client, far, call, tag) -> None:
        self.client, self.far, self.call, self.tag = client, far, call, tag

    @property
    def name(self) -> str:
        """Our dialog as we see it: we are the receiver."""
        return f"far-call;local-tag={self.tag};remote-tag=far-tag"

    def refer(self, *headers, name="", target=TARGET, **words) -> None:
        """Send a REFER in a dialog of its own."""
        words = {"call_id": "refer-call", "from_tag": "refer-tag"} | words
        named = [("Target-Dialog", name or self.name), ("Require", "tdialog")]
        lines = [("Refer-To", f"<{target}>"), *named, *headers]
        self.far.request("REFER", OWN, headers=lines, **words)

    def later(self, method, answer, *headers) -> None:
        """Send a request in the dialog that the REFER has made."""
        self.far.request(
            method,
            OWN,
            call_id="refer-call",
            from_tag="refer-tag",
            to_tag=answer.key()[4],
            cseq=2,
            headers=list(headers),
        )

    async def hears(self) -> tuple[str, str]:
        """Return the state and the status line of the next NOTIFY, answered."""
        notify = await self.far.expect("NOTIFY")
        self.far.respond(notify, 200)
        assert notify.key()[2] == "refer-call"
        return notify.header("Subscription-State"), notify.body.decode().strip()


@asynccontextmanager
async def talking(world, **settings):
    """A call from a far end, answered."""
    async with world().with_far_end(**settings) as (client, far):
        call, ok = await answered(client, far, OWN)
        yield Beside(client, far, call, ok.key()[4])


def said_yes(call) -> None:
    call.on(TransferRequested, lambda event: event.accept())


async def test_a_refer_beside_its_call_is_put_before_the_program(autojump_clock, world) -> None:
    """RFC 7647 §4: named by Target-Dialog, answered and reported on in a dialog of its own."""
    async with talking(world) as beside:
        seen = []
        beside.call.on(TransferRequested, seen.append)
        beside.refer(("Referred-By", "<sip:boss@x>"))
        await trio.sleep(1)
        assert [(event.target, event.referred_by) for event in seen] == [(TARGET, "sip:boss@x")]
        assert len(beside.client.calls) == 1  # nothing is done without a yes

        new_call = seen[0].accept()
        ok = await beside.far.expect(200)
        first = await beside.hears()
        beside.far.respond(await beside.far.expect("INVITE"), 486, "Busy Here")
        second = await beside.hears()
        await new_call.wait_ended()

        assert ok.method == "REFER"
        assert ok.key()[4] not in ("", beside.tag)
        assert ok.header("Contact").startswith(f"<{OWN}")
        assert ok.header("Expires") is None
        assert first == ("active;expires=3600", "SIP/2.0 100 Trying")
        assert second == ("terminated;reason=noresource", "SIP/2.0 486 Busy Here")
        assert beside.call.state.value is CallState.CONNECTED
        await trio.sleep(40)
        assert beside.client.statistics().tokens == 1


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("far-call;local-tag=far-tag;remote-tag={tag}", 403),
        ("far-call;local-tag={tag}x;remote-tag=far-tag", 403),
        ("far-call;local-tag={tag};remote-tag=FAR-TAG", 403),
        ("other-call;local-tag={tag};remote-tag=far-tag", 403),
        ("far-call;local-tag={tag}", 400),
        ("far-call;local-tag={tag};remote-tag=far-tag;remote-tag=far-tag", 400),
        (";local-tag={tag};remote-tag=far-tag", 400),
    ],
)
async def test_who_does_not_name_the_dialog_exactly_is_refused(
    autojump_clock, world, name, status
) -> None:
    """RFC 4538 §4: both tags, as we see them; a wrong one is told no more than none."""
    async with talking(world) as beside:
        seen = []
        beside.call.on(TransferRequested, seen.append)
        beside.refer(name=name.format(tag=beside.tag))

        assert await beside.far.expect(status)
        assert seen == []


async def test_who_names_a_dialog_has_no_other_call_looked_at(
    autojump_clock, world, monkeypatch
) -> None:
    """A name costs the same among many calls as among one, whoever sends it."""
    looked = []
    monkeypatch.setattr(referrals, "_is_meant", lambda call, name: looked.append(call.sip_call_id))
    async with talking(world) as beside:
        others = [beside.client.create_call(beside.far.uri) for _ in range(3)]
        for other in others:
            await other.start()
            await beside.far.expect("INVITE")
        assert len(beside.client.calls) == 4
        for call_id in ("far-call", "no-call"):
            name = f"{call_id};local-tag=x;remote-tag=y"
            beside.refer(name=name, call_id=f"about {call_id}".replace(" ", "-"))
            assert (await beside.far.expect(403)).method == "REFER"

        assert looked == ["far-call"]
        assert len(beside.client._by_call_id) == 4
    assert not beside.client._by_call_id


async def test_two_names_are_one_too_many(autojump_clock, world) -> None:
    async with talking(world) as beside:
        beside.refer(("Target-Dialog", beside.name))

        assert await beside.far.expect(400)


async def test_a_branch_that_did_not_win_has_no_say_in_the_call(autojump_clock, world) -> None:
    """RFC 4538 §4: it knows the Call-ID and a tag of ours, and its own early dialog alone."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 180, to_tag="loser")
        far.respond(invite, 200, to_tag="winner", body=SDP)
        await call.wait_connected()
        said_yes(call)
        call_id, own = invite.key()[2], invite.key()[3]
        beside = Beside(client, far, call, own)
        beside.refer(name=f"{call_id};local-tag={own};remote-tag=loser")
        assert (await far.expect(403)).method == "REFER"

        beside.refer(name=f"{call_id};local-tag={own};remote-tag=winner", from_tag="again")
        assert (await far.expect(200)).method == "REFER"


async def test_who_may_ask_is_looked_at_first(autojump_clock, world) -> None:
    """RFC 4538 §4: the name of a dialog stands beside other policies, not before them."""
    async with world().with_far_end(admit="known") as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 200, body=SDP)
        await call.wait_connected()
        said_yes(call)
        own = invite.key()[3]
        beside = Beside(client, far, call, own)
        beside.refer(name=f"{invite.key()[2]};local-tag={own};remote-tag=far-tag")

        assert (await far.expect(403)).method == "REFER"
        assert len(client.calls) == 1


async def test_a_call_that_came_by_tls_is_not_named_in_the_clear(autojump_clock, world) -> None:
    """RFC 4538 §4: in the clear its tags may be anybody's."""
    async with talking(world) as beside:
        said_yes(beside.call)
        beside.call._route = dataclasses.replace(beside.call._route, is_secure=True)
        beside.refer()

        assert await beside.far.expect(403)


@pytest.mark.parametrize(
    ("target", "status"), [(TARGET, 603), (f"{TARGET};method=BYE", 403), ("tel:+1", 400)]
)
async def test_what_is_not_followed_within_a_call_is_not_beside_it(
    autojump_clock, world, target, status
) -> None:
    async with talking(world) as beside:
        beside.refer(target=target)
        await beside.far.expect(status)

        await trio.sleep(40)
        assert beside.client.statistics().tokens == 1


async def test_one_refer_waits_for_the_other(autojump_clock, world) -> None:
    async with talking(world) as beside:
        beside.call.on(TransferRequested, lambda event: None)
        beside.refer()
        beside.refer(call_id="another")

        assert (await beside.far.expect(491)).key()[2] == "another"
        assert (await beside.far.expect(603)).key()[2] == "refer-call"


async def test_a_refer_beside_that_overtakes_the_ack_waits_for_it(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        far.invite(OWN)
        call = await anext(calls)
        calls.close()
        await call.answer()
        ok = await far.expect(200)
        said_yes(call)
        beside = Beside(client, far, call, ok.key()[4])
        beside.refer()
        assert await far.silence(0.4)

        far.acknowledge(ok)

        assert (await far.expect(200)).method == "REFER"


async def test_an_undecided_refer_ends_with_its_call(autojump_clock, world) -> None:
    async with talking(world) as beside:
        beside.call.on(TransferRequested, lambda event: None)
        beside.refer()
        await trio.sleep(1)
        beside.call.hangup()
        beside.far.respond(await beside.far.expect("BYE"), 200)

        assert (await beside.far.expect(481)).method == "REFER"


async def test_reports_go_on_when_the_call_has_ended(autojump_clock, world) -> None:
    """RFC 7647 §4: the subscription is no part of the dialog of the call."""
    async with talking(world) as beside:
        far = beside.far
        said_yes(beside.call)
        beside.refer()
        assert (await beside.hears())[1] == "SIP/2.0 100 Trying"
        invite = await far.expect("INVITE")
        far.request("BYE", OWN, to_tag=beside.tag, cseq=2)
        assert (await far.expect(200)).method == "BYE"
        assert (await beside.call.wait_ended()).reason is EndReason.REMOTE_ENDED

        far.respond(invite, 200, body=SDP)

        assert await beside.hears() == ("terminated;reason=noresource", "SIP/2.0 200 OK")
        await trio.sleep(40)
        assert beside.client.statistics().tokens == 1


async def test_who_subscribed_by_refer_may_leave(autojump_clock, world) -> None:
    """RFC 7647 §4: the subscription is one like any other, refreshed and ended by SUBSCRIBE."""
    async with talking(world) as beside:
        far = beside.far
        said_yes(beside.call)
        beside.refer()
        ok = await far.expect(200)
        await beside.hears()
        invite = await far.expect("INVITE")
        beside.later("SUBSCRIBE", ok, ("Event", "refer"), ("Expires", "0"))
        answer = await far.expect(200)
        state, _ = await beside.hears()
        far.respond(invite, 486)
        await far.expect("ACK")

        assert answer.method == "SUBSCRIBE"
        assert state == "terminated;reason=timeout"
        assert await far.silence(5)
        assert len(beside.client.calls) == 1


async def test_nothing_is_told_to_who_does_not_want_it(autojump_clock, world) -> None:
    """RFC 4488 §4: then there is no subscription, and no dialog of it."""
    async with talking(world) as beside:
        said_yes(beside.call)
        beside.refer(("Refer-Sub", "false"))
        ok = await beside.far.expect(200)
        beside.far.respond(await beside.far.expect("INVITE"), 486)
        await beside.far.expect("ACK")

        assert ok.header("Refer-Sub") == "false"
        assert await beside.far.silence(5)
        await trio.sleep(40)
        assert beside.client.statistics().tokens == 1


async def test_such_subscriptions_are_bounded(autojump_clock, world) -> None:
    async with talking(world, max_subscriptions=1) as beside:
        far = beside.far
        said_yes(beside.call)
        beside.refer()
        await far.expect(200)
        calls = beside.client.incoming_calls()
        far.invite(OWN, call_id="second")
        second = await anext(calls)
        calls.close()
        await second.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await second.wait_connected()
        said_yes(second)
        name = f"second;local-tag={ok.key()[4]};remote-tag=far-tag"
        beside.refer(name=name, call_id="another")

        assert (await far.expect(503)).header("Retry-After") == "5"


async def test_a_target_is_judged_by_the_flow_of_the_refer(autojump_clock, world) -> None:
    async with talking(world) as beside:
        said_yes(beside.call)
        beside.refer(target="sip:a@127.0.0.1")

        assert (await beside.hears())[1] == "SIP/2.0 100 Trying"
        assert (await beside.hears())[1].startswith("SIP/2.0 503 ")


# Ours: to a GRUU whose owner knows Target-Dialog.


@pytest.fixture
def gruu(monkeypatch) -> str:
    """Give the far end a Contact that reaches it out of its dialogs."""
    uri = f"sip:far@{FAR[0]}:{FAR[1]};gr=urn:uuid:9"
    monkeypatch.setattr(FarEnd, "uri", property(lambda _: uri))
    return uri


@asynccontextmanager
async def transferring(world, *, supported="replaces, tdialog", error=None, headers=None):
    """A call of ours to a far end that is being transferred."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(f"sip:far@{FAR[0]}:{FAR[1]}")
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 200, body=SDP, headers=[("Supported", supported)])
        await call.wait_connected()
        far.call = invite
        told = []

        async def transfer() -> None:
            if error is None:
                told.append(await call.transfer(TARGET, headers=headers))
                return
            with pytest.raises(error) as caught:
                await call.transfer(TARGET, headers=headers)
            told.append(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(transfer)
            yield client, far, call, told
        # What is owed to the far end is over before the client closes.
        await trio.sleep(70)
        assert client.statistics().tokens == len(client.calls)


def report(far, refer, body, *, state="terminated;reason=noresource", cseq=1, **words) -> None:
    """Send a NOTIFY in the dialog that our REFER has made."""
    far.request(
        "NOTIFY",
        refer.contact_uri,
        call_id=refer.key()[2],
        to_tag=refer.key()[3],
        from_tag="far-tag",
        cseq=cseq,
        headers=[("Event", words.get("event", "refer")), ("Subscription-State", state)],
        body=body,
        content_type="message/sipfrag",
    )


async def test_a_gruu_is_asked_beside_the_dialog(autojump_clock, world, gruu) -> None:
    """RFC 7647 §4: out of the dialog, which Target-Dialog names as its receiver sees it."""
    async with transferring(world) as (_, far, call, told):
        refer = await far.expect("REFER")
        far.respond(refer, 200)
        report(far, refer, "SIP/2.0 180 Ringing", state="active;expires=60", event="refer;id=1")
        await far.expect(200)
        report(far, refer, "SIP/2.0 200 OK", cseq=2)
        await far.expect(200)
        far.respond(await far.expect("BYE"), 200)

    _, _, call_id, own_tag, *_ = far.call.key()
    assert refer.uri == gruu
    assert refer.to_tag == ""
    assert refer.key()[2] != call_id
    assert refer.header("Target-Dialog") == f"{call_id};remote-tag={own_tag};local-tag=far-tag"
    assert refer.values("Require") == ["tdialog"]
    assert refer.header("Refer-To") == f"<{TARGET}>"
    assert refer.header("Event") is None
    assert refer.header("Expires") is None
    assert told == [trivox.TransferResult(200, "OK", is_confirmed=True)]
    assert call.end.reason is EndReason.TRANSFERRED


async def test_who_does_not_know_the_header_is_asked_within(autojump_clock, world, gruu) -> None:
    """RFC 7647 §4: it is older than the rule, whatever its Contact is."""
    async with transferring(world, supported="replaces") as (_, far, _, _):
        refer = await far.expect("REFER")
        far.respond(refer, 202, headers=[("Refer-Sub", "false")])
        far.respond(await far.expect("BYE"), 200)

    assert refer.to_tag == "far-tag"
    assert refer.header("Target-Dialog") is None


async def test_who_has_no_gruu_is_asked_within(autojump_clock, world) -> None:
    """RFC 7647 §4: the absence of a GRUU in the remote target tells who is older."""
    async with transferring(world) as (_, far, _, _):
        refer = await far.expect("REFER")
        far.respond(refer, 202, headers=[("Refer-Sub", "false")])
        far.respond(await far.expect("BYE"), 200)

    assert refer.to_tag == "far-tag"


async def test_what_makes_no_subscription_goes_within(autojump_clock, world, gruu) -> None:
    """RFC 7647 §4: `nosub` is certain to make no second usage of the dialog."""
    async with transferring(world, headers={"Require": "nosub"}) as (_, far, _, told):
        refer = await far.expect("REFER")
        far.respond(refer, 200)
        far.respond(await far.expect("BYE"), 200)

    assert refer.to_tag == "far-tag"
    assert told[0].is_confirmed is False


async def test_a_refusal_leaves_the_call_as_it_is(autojump_clock, world, gruu) -> None:
    async with transferring(world, error=CallTransferFailedError) as (_, far, call, told):
        far.respond(await far.expect("REFER"), 603, "Decline")

        await trio.sleep(1)
        assert call.state.value is CallState.CONNECTED

    assert told[0].sip_code == 603


async def test_a_far_end_that_says_nothing_is_given_up(autojump_clock, world, gruu) -> None:
    began = trio.current_time()
    async with transferring(world, error=CallTransferFailedError) as (_, _, _, told):
        pass

    assert told[0].sip_code == 408
    assert trio.current_time() - began > 32


async def test_an_outcome_that_never_comes_is_a_timeout(autojump_clock, world, gruu) -> None:
    async with transferring(world, error=CallTransferTimeoutError) as (_, far, _, told):
        far.respond(await far.expect("REFER"), 200)

    assert told[0].call_id


async def test_a_notify_may_overtake_the_answer(autojump_clock, world, gruu) -> None:
    """RFC 6665 §4.4.1."""
    async with transferring(world) as (_, far, _, told):
        refer = await far.expect("REFER")
        report(far, refer, "SIP/2.0 200 OK")
        await far.expect(200)
        far.respond(refer, 200)
        far.respond(await far.expect("BYE"), 200)

    assert told[0].is_confirmed is True


async def test_a_far_end_may_promise_silence(autojump_clock, world, gruu) -> None:
    """RFC 4488 §4: there is no subscription to end."""
    wish = {"Refer-Sub": "false"}
    async with transferring(world, headers=wish) as (_, far, _, told):
        far.respond(await far.expect("REFER"), 202, headers=[("Refer-Sub", "false")])
        far.respond(await far.expect("BYE"), 200)
        assert await far.silence(60)

    assert told[0].is_confirmed is False


async def test_a_subscription_that_has_told_enough_is_ended(autojump_clock, world, gruu) -> None:
    """RFC 6665 §4.1.2.3: the outcome is known, and the notifier would go on."""
    async with transferring(world) as (_, far, _, _):
        refer = await far.expect("REFER")
        far.respond(refer, 200)
        report(far, refer, "SIP/2.0 200 OK", state="active;expires=3600", event="refer;id=1")
        asked = {}
        for _ in range(2):
            while (message := await far.receive()).method not in ("BYE", "SUBSCRIBE"):
                pass
            asked[message.method] = message
            far.respond(message, 200)
        report(far, refer, "SIP/2.0 200 OK", state="terminated;reason=timeout", cseq=2)
        await far.expect(200)

    assert asked["SUBSCRIBE"].header("Expires") == "0"
    assert asked["SUBSCRIBE"].header("Event") == "refer;id=1"
    assert asked["SUBSCRIBE"].header("Target-Dialog") is None


async def test_a_hangup_ends_the_wait_and_the_subscription(autojump_clock, world, gruu) -> None:
    async with transferring(world, error=CallEndedError) as (_, far, call, _):
        refer = await far.expect("REFER")
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        far.respond(refer, 200)
        leaving = await far.expect("SUBSCRIBE")
        far.respond(leaving, 481)

    assert leaving.header("Expires") == "0"


async def test_a_gruu_that_is_out_of_reach_is_asked_within(
    autojump_clock, world, monkeypatch
) -> None:
    """A phone behind a NAT may have made it of its private address."""
    monkeypatch.setattr(FarEnd, "uri", property(lambda _: "sip:far@127.0.0.1;gr=urn:uuid:9"))
    async with transferring(world) as (_, far, _, _):
        refer = await far.expect("REFER")
        far.respond(refer, 202, headers=[("Refer-Sub", "false")])
        far.respond(await far.expect("BYE"), 200)

    assert refer.to_tag == "far-tag"

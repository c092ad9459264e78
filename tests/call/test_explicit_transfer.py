"""Transfers of ours whose reports we subscribe to by ourselves (RFC 7614 §4)."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from tests.call.conftest import FAR, connected_to_far

import trivox
from trivox.call.events import EndReason, TransferCompleted, TransferProgress, TransferRequested
from trivox.call.states import CallState
from trivox.errors import (
    CallEndedError,
    CallTransferFailedError,
    CallTransferTimeoutError,
    InvalidArgumentsError,
)
from trivox.testing.far_end import SDP, FarEnd

TARGET = "sip:carol@10.0.0.9:5060"
EVENTS_AT = f"sip:far@{FAR[0]}:{FAR[1]};state=7"
WISH = {"Require": "explicitsub"}


class Stage:
    """A transfer of ours that is under way, and what became of it."""

    def __init__(self, call, far) -> None:
        self.call, self.far = call, far
        self.told: list[object] = []
        self.seen: list[object] = []
        for kind in (TransferProgress, TransferCompleted):
            call.on(kind, self.seen.append)

    async def transfer(self, error, headers) -> None:
        if error is None:
            self.told.append(await self.call.transfer(TARGET, headers=headers))
            return
        with pytest.raises(error) as caught:
            await self.call.transfer(TARGET, headers=headers)
        self.told.append(caught.value)

    async def asked(self, *values):
        """Accept the REFER and return it."""
        refer = await self.far.expect("REFER")
        headers = [("Refer-Events-At", value) for value in values or (f"<{EVENTS_AT}>",)]
        self.far.respond(refer, 200, headers=headers)
        return refer

    async def subscribed(self):
        """Accept the SUBSCRIBE and return it."""
        subscribe = await self.far.expect("SUBSCRIBE")
        self.far.respond(subscribe, 200, to_tag="state", headers=[("Expires", "180")])
        return subscribe

    async def reports(self, to, body, state="active;expires=180", cseq=1) -> None:
        """Send a NOTIFY, and take its answer."""
        self.far.request(
            "NOTIFY",
            to.contact_uri,
            call_id=to.key()[2],
            to_tag=to.key()[3],
            from_tag="state",
            cseq=cseq,
            headers=[("Event", "refer"), ("Subscription-State", state)],
            body=body,
            content_type="message/sipfrag",
        )
        await self.far.expect(200)


@asynccontextmanager
async def transferring(world, *, error=None, headers=WISH, supported=""):
    """A call of ours to a far end that is being transferred; all of it is over at the end."""
    with trio.fail_after(1000):
        async with world().with_far_end() as (client, far):
            call = client.create_call(f"sip:far@{FAR[0]}:{FAR[1]}")
            await call.start()
            invite = await far.expect("INVITE")
            far.respond(invite, 200, body=SDP, headers=[("Supported", supported)])
            await call.wait_connected()
            stage = Stage(call, far)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stage.transfer, error, headers)
                yield stage
            await trio.sleep(70)
            assert client.statistics().tokens == len(client.calls)
            assert not client._arrivals.subscriptions._by_dialog


LAST = "terminated;reason=noresource"


async def test_we_subscribe_where_the_answer_says(autojump_clock, world) -> None:
    """RFC 7614 §4.4: the URI is the Request-URI of a SUBSCRIBE out of any dialog."""
    async with transferring(world) as stage:
        refer = await stage.asked()
        subscribe = await stage.subscribed()
        await stage.reports(subscribe, "SIP/2.0 180 Ringing")
        await stage.reports(subscribe, "SIP/2.0 200 OK", LAST, cseq=2)
        stage.far.respond(await stage.far.expect("BYE"), 200)

    assert refer.values("Require") == ["explicitsub"]
    assert refer.to_tag == "far-tag"
    assert subscribe.uri == EVENTS_AT
    assert subscribe.to_tag == ""
    assert subscribe.key()[2] != refer.key()[2]
    assert subscribe.header("Event") == "refer"
    assert subscribe.header("Accept") == "message/sipfrag"
    assert subscribe.header("Require") is None
    assert subscribe.header("Refer-To") is None
    assert stage.told == [trivox.TransferResult(200, "OK", is_confirmed=True)]
    assert [event.code for event in stage.seen] == [180, 200]
    assert stage.call.end.reason is EndReason.TRANSFERRED


async def test_a_failure_that_is_told_leaves_the_call(autojump_clock, world) -> None:
    async with transferring(world, error=CallTransferFailedError) as stage:
        await stage.asked()
        await stage.reports(await stage.subscribed(), "SIP/2.0 486 Busy Here", LAST)
        await trio.sleep(1)
        assert stage.call.state.value is CallState.CONNECTED

    assert stage.told[0].sip_code == 486


async def test_a_notify_may_overtake_the_answer(autojump_clock, world) -> None:
    """RFC 6665 §4.4.1."""
    async with transferring(world) as stage:
        await stage.asked()
        subscribe = await stage.far.expect("SUBSCRIBE")
        await stage.reports(subscribe, "SIP/2.0 200 OK", LAST)
        stage.far.respond(subscribe, 200, to_tag="state")
        stage.far.respond(await stage.far.expect("BYE"), 200)

    assert stage.told[0].is_confirmed is True


async def test_a_subscription_that_has_told_enough_is_ended(autojump_clock, world) -> None:
    """RFC 6665 §4.1.2.3."""
    async with transferring(world) as stage:
        await stage.asked()
        subscribe = await stage.subscribed()
        await stage.reports(subscribe, "SIP/2.0 200 OK")
        asked = {}
        while len(asked) < 2:
            message = await stage.far.receive()
            if message.method in ("BYE", "SUBSCRIBE"):
                asked[message.method] = message
                stage.far.respond(message, 200)
        await stage.reports(subscribe, "SIP/2.0 200 OK", "terminated;reason=timeout", cseq=2)

    assert asked["SUBSCRIBE"].header("Expires") == "0"
    assert asked["SUBSCRIBE"].to_tag == "state"


@pytest.mark.parametrize("unsupported", [[], [("Unsupported", "x, ExplicitSub")]])
async def test_who_does_not_know_it_is_asked_as_ever(autojump_clock, world, unsupported) -> None:
    """RFC 7614 §4.2: after 420 without it, and what else is required stays."""
    async with transferring(world, headers={"Require": "timer, explicitsub"}) as stage:
        far = stage.far
        first = await far.expect("REFER")
        far.respond(first, 420, "Bad Extension", headers=unsupported)
        second = await far.expect("REFER")
        far.respond(second, 202)
        words = {"call_id": second.key()[2], "to_tag": second.key()[3]}
        lines = [("Event", f"refer;id={second.key()[7]}"), ("Subscription-State", LAST)]
        far.request(
            "NOTIFY", second.contact_uri, headers=lines, body="SIP/2.0 200 OK",
            content_type="message/sipfrag", **words,
        )  # fmt: skip
        await far.expect(200)
        far.respond(await far.expect("BYE"), 200)

    assert second.values("Require") == ["timer"]
    assert second.header("Refer-To") == first.header("Refer-To")
    assert second.key()[7] == first.key()[7] + 1
    assert stage.told == [trivox.TransferResult(200, "OK", is_confirmed=True)]


async def test_a_gruu_is_asked_within_and_beside_after_420(
    autojump_clock, world, monkeypatch
) -> None:
    """RFC 7614 §4.1, RFC 7647 §4: only what makes a subscription has to leave the dialog."""
    gruu = f"sip:far@{FAR[0]}:{FAR[1]};gr=urn:uuid:9"
    monkeypatch.setattr(FarEnd, "uri", property(lambda _: gruu))
    async with transferring(world, supported="tdialog") as stage:
        far = stage.far
        first = await far.expect("REFER")
        far.respond(first, 420)
        second = await far.expect("REFER")
        far.respond(second, 200, to_tag="state")
        await stage.reports(second, "SIP/2.0 180 Ringing")
        await stage.reports(second, "SIP/2.0 200 OK", LAST, cseq=2)
        far.respond(await far.expect("BYE"), 200)

    assert first.to_tag == "far-tag"
    assert second.to_tag == ""
    assert second.values("Require") == ["tdialog"]
    assert [event.code for event in stage.seen] == [180, 200]


@pytest.mark.parametrize(
    ("status", "headers"),
    [(603, []), (421, []), (420, [("Unsupported", "timer")]), (503, [])],
)
async def test_other_refusals_are_the_result(autojump_clock, world, status, headers) -> None:
    """RFC 7614 §4.2: as of any REFER; only what is not known is worth another try."""
    async with transferring(world, error=CallTransferFailedError) as stage:
        stage.far.respond(await stage.far.expect("REFER"), status, headers=headers)
        assert await stage.far.silence(40)
        assert stage.call.state.value is CallState.CONNECTED

    assert stage.told[0].sip_code == status


async def test_a_far_end_may_refuse_both(autojump_clock, world) -> None:
    async with transferring(world, error=CallTransferFailedError) as stage:
        for _ in range(2):
            stage.far.respond(await stage.far.expect("REFER"), 420)
        assert await stage.far.silence(40)

    assert stage.told[0].sip_code == 420


@pytest.mark.parametrize("status", [403, 404, 489, 603])
async def test_a_subscription_that_is_refused_leaves_the_outcome_unknown(
    autojump_clock, world, status
) -> None:
    async with transferring(world, error=CallTransferTimeoutError) as stage:
        await stage.asked()
        stage.far.respond(await stage.far.expect("SUBSCRIBE"), status)
        await trio.sleep(1)
        assert stage.call.state.value is CallState.CONNECTED
        assert len(stage.told) == 1

    assert f"refused ({status})" in str(stage.told[0])


async def test_a_state_that_says_nothing_is_given_up(autojump_clock, world) -> None:
    """RFC 6665 §4.1.2.4: with the first NOTIFY that does not come."""
    async with transferring(world, error=CallTransferTimeoutError) as stage:
        await stage.asked()
        await stage.subscribed()
        began = trio.current_time()
        while not stage.told:
            await trio.sleep(1)

        assert trio.current_time() - began == pytest.approx(32, abs=1.1)


async def test_a_state_that_ends_without_an_outcome_is_none(autojump_clock, world) -> None:
    async with transferring(world, error=CallTransferFailedError) as stage:
        await stage.asked()
        subscribe = await stage.subscribed()
        await stage.reports(subscribe, "SIP/2.0 180 Ringing", "terminated;reason=giveup")


@pytest.mark.parametrize(
    "values",
    [
        (f"<{EVENTS_AT}>", f"<{EVENTS_AT}>"),
        (f"<{EVENTS_AT}>, <{EVENTS_AT}>",),
        ("<tel:+1>",),
        ("<http://10.0.0.9/>",),
        (f"<{EVENTS_AT}?Subject=x>",),
        ("<sip:>",),
        ("nothing",),
    ],
)
async def test_where_no_request_goes_none_is_sent(autojump_clock, world, values) -> None:
    """RFC 7614 §4.8: one SIP URI; without it the far end is heard as ever, and no longer."""
    async with transferring(world, error=CallTransferTimeoutError) as stage:
        await stage.asked(*values)

        assert await stage.far.silence(31)


async def test_who_ignores_what_is_required_is_heard_as_ever(autojump_clock, world) -> None:
    async with transferring(world) as stage:
        refer = await stage.far.expect("REFER")
        stage.far.respond(refer, 202)
        lines = [("Event", "refer"), ("Subscription-State", LAST)]
        words = {"call_id": refer.key()[2], "to_tag": refer.key()[3]}
        stage.far.request(
            "NOTIFY", refer.contact_uri, headers=lines, body="SIP/2.0 200 OK",
            content_type="message/sipfrag", **words,
        )  # fmt: skip
        await stage.far.expect(200)
        stage.far.respond(await stage.far.expect("BYE"), 200)

    assert stage.told[0].is_confirmed is True


async def test_refer_sub_in_the_answer_is_about_the_other_subscription(
    autojump_clock, world
) -> None:
    """RFC 4488 §4: none was made by the REFER; what is told is told where the answer says."""
    async with transferring(world) as stage:
        refer = await stage.far.expect("REFER")
        headers = [("Refer-Events-At", f"<{EVENTS_AT}>"), ("Refer-Sub", "false")]
        stage.far.respond(refer, 200, headers=headers)
        await stage.reports(await stage.subscribed(), "SIP/2.0 200 OK", LAST)
        stage.far.respond(await stage.far.expect("BYE"), 200)

    assert stage.told[0].is_confirmed is True


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "192.0.2.1"])
async def test_the_uri_is_judged_as_what_the_network_names(autojump_clock, world, host) -> None:
    """It is the far end's word, so it leads us to no place that a Contact would not."""
    async with connected_to_far(world) as (call, far, _):
        stage = Stage(call, far)
        targets = []
        find = call._host.endpoint.hops.permit

        def permit(resolved, flow, source):
            targets.append((resolved.addresses[0][0], flow, source))
            return find(resolved, flow, source)

        call._host.endpoint.hops.permit = permit
        with trio.fail_after(500):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stage.transfer, CallTransferTimeoutError, WISH)
                await stage.asked(f"<sip:x@{host}>")

    hop = call._route.flow, (FAR[0], FAR[1])
    assert targets == [(host, *hop)]


async def test_a_tag_in_a_uri_makes_no_dialog(autojump_clock, world) -> None:
    """RFC 3261 §12.2.1.1: a request that is within none is sent as such, however its URI reads."""
    at = f"{EVENTS_AT};tag=x"
    async with transferring(world) as stage:
        await stage.asked(f"<{at}>")
        subscribe = await stage.subscribed()
        await stage.reports(subscribe, "SIP/2.0 200 OK", LAST)
        stage.far.respond(await stage.far.expect("BYE"), 200)

    assert subscribe.header("To") == f"<{at}>"
    assert subscribe.to_tag == ""


async def test_a_hangup_ends_the_wait_and_the_subscription(autojump_clock, world) -> None:
    async with transferring(world, error=CallEndedError) as stage:
        await stage.asked()
        subscribe = await stage.subscribed()
        await stage.reports(subscribe, "SIP/2.0 100 Trying")
        stage.call.hangup()
        methods = set()
        while len(methods) < 2:
            message = await stage.far.receive()
            if message.method in ("BYE", "SUBSCRIBE"):
                methods.add(message.method)
                stage.far.respond(message, 200)
        await stage.reports(subscribe, "SIP/2.0 100 Trying", "terminated;reason=timeout", cseq=2)


async def test_a_call_that_has_ended_meanwhile_subscribes_to_nothing(autojump_clock, world) -> None:
    async with transferring(world, error=CallEndedError) as stage:
        refer = await stage.far.expect("REFER")
        stage.call.hangup()
        stage.far.respond(refer, 200, headers=[("Refer-Events-At", f"<{EVENTS_AT}>")])
        seen = []
        with trio.move_on_after(40):
            while True:
                message = await stage.far.receive()
                seen.append(message.method)
                if message.method == "BYE":
                    stage.far.respond(message, 200)

    assert "SUBSCRIBE" not in seen


async def test_both_tags_are_one_too_many(autojump_clock, world) -> None:
    """RFC 7614 §6: a REFER makes no subscription, or has one made."""
    async with connected_to_far(world) as (call, _, _):
        with pytest.raises(InvalidArgumentsError, match="exclude each other"):
            await call.transfer(TARGET, headers={"Require": "nosub, ExplicitSub"})


async def test_two_clients_tell_each_other(autojump_clock, world) -> None:
    """RFC 7614: both sides of it, ours."""

    async def follow(call: trivox.Call) -> None:
        call.on(TransferRequested, lambda event: event.accept())
        await call.answer()
        await call.wait_ended()

    async def slowly(call: trivox.Call) -> None:
        await trio.sleep(1)
        await call.progress(180)
        await trio.sleep(3)
        await call.answer()
        await call.wait_ended()

    stage = world()
    hosts = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    with trio.fail_after(500):
        async with (
            stage.client(hosts[0]) as one,
            stage.client(hosts[1]) as two,
            stage.client(hosts[2]) as third,
            trio.open_nursery() as nursery,
        ):
            await nursery.start(two.serve, follow)
            await nursery.start(third.serve, slowly)
            async with one.dial(f"sip:bot@{hosts[1]}") as call:
                told = Stage(call, None)
                result = await call.transfer(f"sip:bot@{hosts[2]}", headers=WISH)

                assert result == trivox.TransferResult(200, "OK", is_confirmed=True)
                assert [event.code for event in told.seen] == [100, 180, 200]
                assert call.end.reason is EndReason.TRANSFERRED
            nursery.cancel_scope.cancel()

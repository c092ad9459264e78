"""REFERs whose senders subscribe by themselves, to us (RFC 7614 §4)."""

from __future__ import annotations

import dataclasses
import itertools
from contextlib import asynccontextmanager

import pytest
import trio
from tests.call.conftest import FAR, NEAR, answered

from trivox.call.events import TransferRequested
from trivox.call.states import CallState
from trivox.client.reports import MAX_SUBSCRIBERS
from trivox.testing.far_end import SDP, FarEnd

OWN = "sip:bot@10.0.0.1:5060"
TARGET = "sip:carol@10.0.0.9:5060"
TRYING = "SIP/2.0 100 Trying"
LINGER = 64 * 0.5


class Explicit:
    """A call with a scripted far end that wants to subscribe by itself."""

    def __init__(self, client, far, call, tag) -> None:
        self.client, self.far, self.call, self.tag = client, far, call, tag
        self._numbers = itertools.count(2)

    def refer(self, *headers, require="explicitsub", target=TARGET) -> None:
        """Send a REFER within the call."""
        lines = [("Refer-To", f"<{target}>"), ("Require", require), *headers]
        self.far.request("REFER", OWN, to_tag=self.tag, cseq=next(self._numbers), headers=lines)

    async def referred(self, *headers, **words) -> str:
        """Send it and return where its state is."""
        self.call.on(TransferRequested, lambda event: event.accept())
        self.refer(*headers, **words)
        return events_at(await self.far.expect(200))

    def subscribe(self, uri, *headers, call_id="sub", **words) -> None:
        words = {"from_tag": f"{call_id}-tag", "event": "refer", "expires": "60"} | words
        named = [("Event", words.pop("event")), ("Expires", words.pop("expires"))]
        self.far.request("SUBSCRIBE", uri, call_id=call_id, headers=[*named, *headers], **words)

    async def hears(self) -> tuple[str, str, str]:
        """Return who is told what by the next NOTIFY, answered."""
        notify = await self.far.expect("NOTIFY")
        self.far.respond(notify, 200)
        assert notify.header("Event") == "refer"
        assert notify.header("Content-Type") == "message/sipfrag"
        state = notify.header("Subscription-State")
        return notify.key()[2], state, notify.body.decode().strip()


def events_at(ok) -> str:
    value = ok.header("Refer-Events-At")
    assert value.startswith("<"), value
    assert value.endswith(">"), value
    return value[1:-1]


@asynccontextmanager
async def talking(world, **settings):
    """A call from a far end, answered; nothing is left of what is told when all time is over."""
    with trio.fail_after(1000):
        async with _talking(world, **settings) as explicit:
            yield explicit


@asynccontextmanager
async def _talking(world, **settings):
    async with world().with_far_end(**settings) as (client, far):
        call, ok = await answered(client, far, OWN)
        yield Explicit(client, far, call, ok.key()[4])
        await trio.sleep(5 * LINGER)
        assert client.statistics().tokens == len(client.calls)
        assert len(client._arrivals.reports) == 0
        assert len(client._arrivals.watchers) == 0


async def test_who_asks_for_it_subscribes_by_itself(autojump_clock, world) -> None:
    """RFC 7614 §4.6: no NOTIFY before its SUBSCRIBE, then the state and what changes."""
    async with talking(world) as explicit:
        far = explicit.far
        uri = await explicit.referred()
        invite = await far.expect("INVITE")
        assert await far.silence(0.4)

        explicit.subscribe(uri)
        answer = await far.expect(200)
        first = await explicit.hears()
        far.respond(invite, 180, "Ringing")
        second = await explicit.hears()
        far.respond(invite, 200, body=SDP)
        third = await explicit.hears()

        assert uri.startswith(f"{OWN};")
        assert answer.method == "SUBSCRIBE"
        assert answer.header("Expires") == "60"
        assert first == ("sub", "active;expires=60", TRYING)
        assert second[2] == "SIP/2.0 180 Ringing"
        assert third == ("sub", "terminated;reason=noresource", "SIP/2.0 200 OK")
        assert explicit.call.state.value is CallState.CONNECTED


async def test_the_answer_makes_no_subscription(autojump_clock, world) -> None:
    """RFC 7614 §4.3: nobody who does not ask is told anything, within the call or beside it."""
    async with talking(world) as explicit:
        await explicit.referred()
        explicit.far.respond(await explicit.far.expect("INVITE"), 486)
        await explicit.far.expect("ACK")

        assert await explicit.far.silence(LINGER)


async def test_a_refer_beside_its_call_makes_no_dialog(autojump_clock, world) -> None:
    """RFC 7614 §4.1: Target-Dialog names the call, and says where the REFER can be accepted."""
    async with talking(world) as explicit:
        far, name = explicit.far, f"far-call;local-tag={explicit.tag};remote-tag=far-tag"
        explicit.call.on(TransferRequested, lambda event: event.accept())
        lines = [
            ("Refer-To", f"<{TARGET}>"),
            ("Target-Dialog", name),
            ("Require", "tdialog, explicitsub"),
        ]
        far.request("REFER", OWN, call_id="refer", from_tag="refer-tag", headers=lines)
        ok = await far.expect(200)
        far.respond(await far.expect("INVITE"), 603, "Decline")
        await far.expect("ACK")
        kept = len(explicit.client._arrivals.referrals)
        later = [("Event", "refer"), ("Expires", "0")]
        words = {"call_id": "refer", "from_tag": "refer-tag", "to_tag": ok.key()[4], "cseq": 2}
        far.request("SUBSCRIBE", OWN, headers=later, **words)
        assert (await far.expect(481)).method == "SUBSCRIBE"
        explicit.subscribe(events_at(ok))

        assert ok.method == "REFER"
        assert ok.header("Contact").startswith(f"<{OWN}")
        assert kept == 0
        assert (await explicit.hears())[2] == "SIP/2.0 603 Decline"


async def test_an_outcome_is_kept_for_who_subscribes_after_it(autojump_clock, world) -> None:
    """RFC 7614 §4.7: for 2·64·T1 at least; such a subscription is one NOTIFY."""
    async with talking(world) as explicit:
        far = explicit.far
        uri = await explicit.referred()
        far.respond(await far.expect("INVITE"), 486, "Busy Here")
        await far.expect("ACK")
        await trio.sleep(2 * LINGER - 1)
        explicit.subscribe(uri)
        answer = await far.expect(200)
        told = await explicit.hears()

        assert answer.method == "SUBSCRIBE"
        assert told == ("sub", "terminated;reason=noresource", "SIP/2.0 486 Busy Here")
        assert await far.silence(0.5)
        await trio.sleep(1)
        explicit.subscribe(uri, call_id="late")
        assert (await far.expect(404)).method == "SUBSCRIBE"


async def test_a_call_that_rings_long_is_told_of_to_its_end(autojump_clock, world) -> None:
    """RFC 7614 §4.7: the time that is kept begins with the outcome."""
    async with talking(world) as explicit:
        far = explicit.far
        uri = await explicit.referred()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        await trio.sleep(50)
        far.respond(invite, 486)
        await far.expect("ACK")
        await trio.sleep(2 * LINGER - 1)
        explicit.subscribe(uri)

        assert (await explicit.hears())[2] == "SIP/2.0 486 Reason"


async def test_reports_go_on_when_the_call_has_ended(autojump_clock, world) -> None:
    async with talking(world) as explicit:
        far = explicit.far
        uri = await explicit.referred()
        invite = await far.expect("INVITE")
        far.request("BYE", OWN, to_tag=explicit.tag, cseq=9)
        await far.expect(200)
        await explicit.call.wait_ended()
        explicit.subscribe(uri)
        assert (await explicit.hears())[2] == TRYING
        far.respond(invite, 200, body=SDP)

        assert (await explicit.hears())[2] == "SIP/2.0 200 OK"


async def test_each_refer_has_a_state_of_its_own(autojump_clock, world) -> None:
    """RFC 7614 §4.3: the URI tells them apart; one at a time is asked for, as ever."""
    async with talking(world) as explicit:
        far = explicit.far
        first = await explicit.referred()
        explicit.refer()
        assert (await far.expect(491)).header("Refer-Events-At") is None
        far.respond(await far.expect("INVITE"), 486)
        await far.expect("ACK")
        explicit.refer()
        second = events_at(await far.expect(200))
        invite = await far.expect("INVITE")
        explicit.subscribe(first, call_id="one")
        explicit.subscribe(second, call_id="two")
        told = {name: body for name, _, body in [await explicit.hears(), await explicit.hears()]}
        far.respond(invite, 486)
        await explicit.hears()

        assert first != second
        assert told == {"one": "SIP/2.0 486 Reason", "two": TRYING}


async def test_several_may_subscribe_and_leave(autojump_clock, world) -> None:
    """RFC 7614 §4.4: as often as wanted, each in a dialog of its own; Expires 0 asks once."""
    async with talking(world) as explicit:
        far = explicit.far
        uri = await explicit.referred()
        invite = await far.expect("INVITE")
        explicit.subscribe(uri, call_id="one")
        left = await far.expect(200)
        await explicit.hears()
        explicit.subscribe(uri, call_id="two")
        await explicit.hears()
        explicit.subscribe(uri, call_id="once", expires="0")
        once = await explicit.hears()
        explicit.subscribe(OWN, call_id="one", expires="0", to_tag=left.key()[4], cseq=2)
        last = await explicit.hears()
        far.respond(invite, 486, "Busy Here")

        assert once == ("once", "terminated;reason=timeout", TRYING)
        assert last == ("one", "terminated;reason=timeout", TRYING)
        assert await explicit.hears() == (
            "two", "terminated;reason=noresource", "SIP/2.0 486 Busy Here",
        )  # fmt: skip
        assert await far.silence(5)


async def test_a_subscription_that_nobody_refreshes_runs_out(autojump_clock, world) -> None:
    async with talking(world) as explicit:
        uri = await explicit.referred()
        invite = await explicit.far.expect("INVITE")
        explicit.far.respond(invite, 180)
        explicit.subscribe(uri, expires="5")
        await explicit.hears()
        began = trio.current_time()
        ended = await explicit.hears()
        explicit.far.respond(invite, 486)

        assert ended[1] == "terminated;reason=timeout"
        assert trio.current_time() - began == pytest.approx(5, abs=0.1)


async def test_refer_sub_is_about_the_other_subscription(autojump_clock, world) -> None:
    """RFC 4488 §4, RFC 7614 §4: none is made, as both ask, and who subscribes is told."""
    async with talking(world) as explicit:
        far = explicit.far
        explicit.call.on(TransferRequested, lambda event: event.accept())
        explicit.refer(("Refer-Sub", "false"))
        ok = await far.expect(200)
        far.respond(await far.expect("INVITE"), 486)
        await far.expect("ACK")
        assert await far.silence(1)
        explicit.subscribe(events_at(ok))

        assert ok.header("Refer-Sub") == "false"
        assert (await explicit.hears())[2] == "SIP/2.0 486 Reason"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"require": "explicitsub, nosub"}, 400),
        ({"require": "explicitsub, multiple-refer"}, 420),
        ({"target": "tel:+1"}, 400),
        ({"target": f"{TARGET};method=BYE"}, 403),
        ({}, 603),
    ],
)
async def test_refusals_are_the_same_and_keep_nothing(autojump_clock, world, words, status) -> None:
    """RFC 7614 §4.3, RFC 7614 §6: decided as without it; both tags are no REFER."""
    async with talking(world) as explicit:
        explicit.refer(**words)
        answer = await explicit.far.expect(status)

        assert answer.method == "REFER"
        assert answer.header("Refer-Events-At") is None
        assert len(explicit.client._arrivals.reports) == 0


@pytest.mark.parametrize("ends", [False, True])
async def test_an_undecided_refer_keeps_nothing(autojump_clock, world, ends) -> None:
    async with talking(world) as explicit:
        explicit.call.on(TransferRequested, lambda event: None)
        explicit.refer()
        await trio.sleep(1)
        assert len(explicit.client._arrivals.reports) == 1
        if ends:
            explicit.call.hangup()
            explicit.far.respond(await explicit.far.expect("BYE"), 200)

        assert (await explicit.far.expect(481 if ends else 603)).method == "REFER"
        assert len(explicit.client._arrivals.reports) == 0


async def test_a_uri_is_not_guessed(autojump_clock, world) -> None:
    """RFC 7614 §8: who has no URI is told the same whether there is a state or none."""
    async with talking(world) as explicit:
        far = explicit.far
        uri = await explicit.referred()
        far.respond(await far.expect("INVITE"), 180)
        base, _, name = uri.rpartition("=")
        guesses = [OWN, f"{base}=", base, f"{base}={name[:-1]}", f"{base}={name}0"]
        guesses += [f"{base}={name[::-1]}", f"{base}={0:024x}"]
        answers = []
        for number, guess in enumerate(guesses):
            explicit.subscribe(guess, call_id=f"guess-{number}")
            while (answer := await far.receive()).status == 0 or answer.method != "SUBSCRIBE":
                pass
            answers.append((answer.status, answer.reason, len(answer.items())))

        assert len(name) == 24
        assert set(answers) == {(404, "Not Found", answers[0][2])}
        assert len(explicit.client._arrivals.watchers) == 0
        explicit.client.calls[[*explicit.client.calls][-1]].hangup()
        far.respond(await far.expect("CANCEL"), 200)


@pytest.mark.parametrize(
    ("words", "headers", "status"),
    [
        ({"event": "presence"}, [], 489),
        ({"event": "message-summary"}, [], 489),
        ({}, [("Accept", "application/pidf+xml")], 406),
        ({}, [("Accept", "application/pidf+xml, message/sipfrag;version=2.0")], 200),
        ({}, [("Require", "explicitsub")], 420),
    ],
)
async def test_only_the_state_of_a_refer_is_there(
    autojump_clock, world, words, headers, status
) -> None:
    """RFC 7614 §4.5: what else is asked for is refused as ever (RFC 6665 §4.2.1.1)."""
    async with talking(world, event_packages=["message-summary"]) as explicit:
        uri = await explicit.referred()
        explicit.far.respond(await explicit.far.expect("INVITE"), 486)
        await explicit.far.expect("ACK")
        explicit.subscribe(uri, *headers, **words)

        assert (await explicit.far.expect(status)).method == "SUBSCRIBE"


async def test_a_flood_of_subscriptions_is_bounded(autojump_clock, world) -> None:
    async with talking(world) as explicit:
        far = explicit.far
        uri = await explicit.referred()
        invite = await far.expect("INVITE")
        for number in range(MAX_SUBSCRIBERS):
            explicit.subscribe(uri, call_id=f"sub-{number}")
            await explicit.hears()
        explicit.subscribe(uri, call_id="one-more")
        refused = await far.expect(503)
        far.respond(invite, 486)
        told = {(await explicit.hears())[0] for _ in range(MAX_SUBSCRIBERS)}
        explicit.subscribe(uri, call_id="after")

        assert refused.header("Retry-After") == "5"
        assert len(told) == MAX_SUBSCRIBERS
        assert (await explicit.hears())[0] == "after"


async def test_subscriptions_of_one_source_are_bounded(autojump_clock, world) -> None:
    async with talking(world, max_subscriptions_per_source=2) as explicit:
        uri = await explicit.referred()
        invite = await explicit.far.expect("INVITE")
        for number in range(2):
            explicit.subscribe(uri, call_id=f"sub-{number}")
            await explicit.hears()
        explicit.subscribe(uri, call_id="one-more")

        assert (await explicit.far.expect(503)).method == "SUBSCRIBE"
        explicit.far.respond(invite, 486)
        await explicit.hears()
        await explicit.hears()


async def test_who_does_not_answer_is_told_no_more(autojump_clock, world) -> None:
    """RFC 6665 §4.2.2: and whoever else has subscribed is told in time."""
    async with talking(world) as explicit:
        far = explicit.far
        uri = await explicit.referred()
        invite = await far.expect("INVITE")
        far.respond(invite, 180)
        explicit.subscribe(uri, call_id="dead")
        await far.expect("NOTIFY")
        await trio.sleep(LINGER + 1)
        explicit.subscribe(uri, call_id="live")
        while (notify := await far.expect("NOTIFY")).key()[2] == "dead":
            pass
        far.respond(notify, 200)
        far.respond(invite, 486)

        assert await explicit.hears() == (
            "live", "terminated;reason=noresource", "SIP/2.0 486 Reason",
        )  # fmt: skip


@pytest.mark.parametrize("is_beside", [True, False])
async def test_who_may_be_out_of_reach_is_asked_without_it(
    autojump_clock, world, is_beside
) -> None:
    """RFC 7614 §4.3: from behind a proxy a Contact that is no GRUU may not be reached."""
    hop = ("Record-Route", f"<sip:{FAR[0]}:{FAR[1]};lr>")
    with trio.fail_after(500):
        async with world().with_far_end() as (client, far):
            calls = client.incoming_calls()
            far.request("INVITE", OWN, body=SDP, headers=[] if is_beside else [hop])
            call = await anext(calls)
            calls.close()
            await call.answer()
            ok = await far.expect(200)
            far.acknowledge(ok)
            await call.wait_connected()
            call.on(TransferRequested, lambda event: event.accept())
            explicit = Explicit(client, far, call, ok.key()[4])
            if is_beside:
                name = f"far-call;local-tag={explicit.tag};remote-tag=far-tag"
                lines = [("Refer-To", f"<{TARGET}>"), ("Target-Dialog", name), hop]
                lines.append(("Require", "tdialog, explicitsub"))
                far.request("REFER", OWN, call_id="r", from_tag="r", headers=lines)
            else:
                explicit.refer()
            refused = await far.expect(420)
            explicit.refer(require="timer")
            await far.expect(200)

            assert refused.header("Unsupported") == "explicitsub"
            assert (await far.expect("NOTIFY")).to_tag == "far-tag"
            assert len(client._arrivals.reports) == 0


async def test_what_is_kept_of_refers_is_bounded(autojump_clock, world) -> None:
    async with talking(world, max_subscriptions=1) as explicit:
        far = explicit.far
        await explicit.referred()
        far.respond(await far.expect("INVITE"), 486)
        await far.expect("ACK")
        explicit.refer()
        assert (await far.expect(503)).header("Retry-After") == "5"
        await trio.sleep(2 * LINGER)
        explicit.refer()

        assert (await far.expect(200)).method == "REFER"
        far.respond(await far.expect("INVITE"), 486)


async def test_who_may_ask_is_looked_at_first(autojump_clock, world) -> None:
    """RFC 7614 §8: a URI that got about is no password."""
    async with world().with_far_end(admit="known") as (client, far):
        call = client.create_call(far.uri)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 200, body=SDP)
        await call.wait_connected()
        call.on(TransferRequested, lambda event: event.accept())
        lines = [("Refer-To", f"<{TARGET}>"), ("Require", "explicitsub")]
        words = {"call_id": invite.key()[2], "to_tag": invite.key()[3]}
        far.request("REFER", OWN, headers=lines, **words)
        uri = events_at(await far.expect(200))
        Explicit(client, far, call, "").subscribe(uri)

        assert (await far.expect(403)).method == "SUBSCRIBE"


async def test_what_is_kept_of_a_sips_call_is_not_told_in_the_clear(autojump_clock, world) -> None:
    """RFC 5630 §3: the URI says `sips`, whatever a subscriber makes of it."""
    async with talking(world) as explicit:
        route = explicit.call._route
        contact = "<sips:bot@10.0.0.1:5060>"
        identity = dataclasses.replace(route.identity, contact=contact)
        explicit.call._route = dataclasses.replace(route, identity=identity)
        uri = await explicit.referred()
        explicit.far.respond(await explicit.far.expect("INVITE"), 486)
        await explicit.far.expect("ACK")
        explicit.subscribe(uri.replace("sips:", "sip:"))

        assert uri.startswith("sips:")
        assert (await explicit.far.expect(404)).method == "SUBSCRIBE"


async def test_others_may_be_told_too(autojump_clock, world) -> None:
    """RFC 7614 §4.4: whoever has the URI, from wherever."""
    world = world()
    async with world.with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN)
        explicit = Explicit(client, far, call, ok.key()[4])
        uri = await explicit.referred()
        invite = await far.expect("INVITE")
        with FarEnd(world.link.host("10.0.0.8"), ("10.0.0.8", FAR[1]), NEAR) as third:
            other = Explicit(client, third, call, "")
            other.subscribe(uri, call_id="other")
            assert (await other.hears())[2] == TRYING
            far.respond(invite, 486)

            assert (await other.hears())[2] == "SIP/2.0 486 Reason"


async def test_a_cancelled_program_leaves_nothing(autojump_clock, world) -> None:
    """The call placed for a REFER ends with its client, and whoever listens is told that."""
    stage = world()
    async with stage.with_far_end() as (client, far):
        call, ok = await answered(client, far, OWN)
        explicit = Explicit(client, far, call, ok.key()[4])
        uri = await explicit.referred()
        far.respond(await far.expect("INVITE"), 180)
        explicit.subscribe(uri)
        await explicit.hears()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_answer_all, far, seen := [])
            with trio.move_on_after(1):
                await trio.sleep_forever()
            for one in tuple(client.calls.values()):
                one.hangup()
            await trio.sleep(5 * LINGER)
            nursery.cancel_scope.cancel()

        notify = next(one for one in seen if one.method == "NOTIFY")
        assert notify.header("Subscription-State") == "terminated;reason=noresource"
        assert client.statistics().tokens == 0
        assert client.statistics().timers == 0


async def _answer_all(far, seen) -> None:
    while True:
        message = await far.receive()
        if message.is_request and message.method not in ("ACK", "INVITE"):
            seen.append(message)
            far.respond(message, 200)

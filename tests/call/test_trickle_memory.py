"""Who is known to take candidates after an offer, and for how long (RFC 8840 §5)."""

from __future__ import annotations

import pytest
import trio
from tests.call.conftest import FAR, NEAR
from tests.call.test_full_trickle import AUTO, ICE_ANSWER, KNOWS, UNSUPPORTED, called, required
from tests.call.test_trickle import SILENT, TAKES, native
from tests.call.test_trickle import called as called_by
from tests.client.test_failover import servers

import trivox
from trivox.call.messages import Headers
from trivox.call.states import Trigger
from trivox.call.trickle_memory import KNOWN_FOR, MOST_KNOWN, TrickleMemory
from trivox.media.native_engine import driven_media
from trivox.testing.far_end import FarEnd

SAYS = Headers([("Supported", "timer, trickle-ice")])
BOB = "sip:bob@example.org"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("uri", "is_same"),
    [
        ("sip:bob@EXAMPLE.org;transport=tcp", True),
        ("sips:bob@example.org", True),
        ("sip:bob@example.org:5080", False),
        ("sip:eve@example.org", False),
        ("sip:bob@example.org;gr=urn:uuid:1", False),
        ("no uri", False),
    ],
)
def test_a_far_end_is_known_by_user_host_and_device(uri, is_same):
    memory = TrickleMemory(Clock())
    memory.learn("", BOB, SAYS)

    assert memory.knows("", uri) is is_same


def test_what_one_account_has_learned_is_its_own():
    memory = TrickleMemory(Clock())
    memory.learn("sip:ann@example.org", BOB, SAYS)

    assert memory.knows("sip:ann@example.org", BOB)
    assert not memory.knows("", BOB)


@pytest.mark.parametrize(
    ("contact", "is_known"),
    [
        ("<sip:x@example.org;gr=urn:uuid:1>", True),
        ("<sip:x@elsewhere.example;gr=urn:uuid:1>", False),
        ("<sip:x@example.org>", False),
        ("<", False),
    ],
)
def test_a_device_with_a_uri_of_its_own_is_known_by_it(contact, is_known):
    """RFC 8840 §5.2: a GRUU leads to the very device that has answered."""
    memory = TrickleMemory(Clock())
    memory.learn("", BOB, Headers([("Supported", "trickle-ice"), ("Contact", contact)]))

    here, there = "sip:x@example.org;gr=urn:uuid:1", "sip:x@elsewhere.example;gr=urn:uuid:1"
    assert (memory.knows("", here), memory.knows("", there)) == (is_known, False)
    assert memory.knows("", BOB)


def test_it_is_forgotten_after_an_hour():
    clock = Clock()
    memory = TrickleMemory(clock)
    memory.learn("", BOB, SAYS)
    clock.now = KNOWN_FOR - 1.0
    assert memory.knows("", BOB)
    clock.now = KNOWN_FOR

    assert not memory.knows("", BOB)


def test_who_says_otherwise_is_forgotten():
    memory = TrickleMemory(Clock())
    memory.learn("", BOB, SAYS)
    memory.learn("", BOB, Headers([("Supported", "timer")]))

    assert not memory.knows("", BOB)


def test_the_one_heard_of_longest_ago_gives_way():
    memory = TrickleMemory(Clock())
    for number in range(MOST_KNOWN):
        memory.learn("", f"sip:{number}@example.org", SAYS)
    memory.learn("", "sip:0@example.org", SAYS)
    memory.learn("", BOB, SAYS)

    assert len(memory) == MOST_KNOWN
    assert memory.knows("", "sip:0@example.org")
    assert not memory.knows("", "sip:1@example.org")
    assert memory.knows("", BOB)


async def next_invite(client, far):
    """Call again; return the INVITE and how long it waited."""
    before = trio.current_time()
    call = client.create_call(far.uri, AUTO)
    await call.start()
    return await far.expect("INVITE"), trio.current_time() - before, call


async def test_an_answer_to_options_is_remembered(autojump_clock, world):
    """RFC 8840 §5.2: what the program asks before it calls saves the wait."""
    async with native(world, ice_servers=SILENT) as (client, far):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.request, "OPTIONS", far.uri)
            far.respond(await far.expect("OPTIONS"), 200, headers=[KNOWS])
        invite, took, call = await next_invite(client, far)
        call.hangup()

    assert took < 0.1
    assert required(invite)


async def test_an_answer_to_a_call_is_remembered(autojump_clock, world):
    async with called(world, AUTO) as (client, far, call, invite):
        far.respond(invite, 200, to_tag="a", headers=[TAKES, KNOWS], body=ICE_ANSWER)
        await far.expect("ACK")
        again, took, second = await next_invite(client, far)
        second.hangup()

    assert not required(invite)
    assert required(again)
    assert took < 0.1
    assert call.end is not None


async def test_a_refusal_is_remembered(autojump_clock, world):
    """A far end that answers 420 after all is offered half trickle, now and the next time."""
    async with native(world, ice_servers=SILENT) as (client, far):
        client._wiring.trickle_memory.learn("", far.uri, SAYS)
        invite, took, _ = await next_invite(client, far)
        far.respond(invite, 420, headers=UNSUPPORTED)
        second = await far.expect("INVITE")
        far.respond(second, 486)
        third, waited, call = await next_invite(client, far)
        call.hangup()

    assert [required(one) for one in (invite, second, third)] == [True, False, False]
    assert took < 0.1
    assert waited == pytest.approx(5.0, abs=0.1)


async def test_half_waits_also_for_who_is_known(autojump_clock, world):
    settings = trivox.CallSettings(media="webrtc", trickle="half")
    async with native(world, ice_servers=SILENT) as (client, far):
        client._wiring.trickle_memory.learn("", far.uri, SAYS)
        before = trio.current_time()
        call = client.create_call(far.uri, settings)
        await call.start()
        invite = await far.expect("INVITE")
        took = trio.current_time() - before
        call.hangup()

    assert took == pytest.approx(5.0, abs=0.1)
    assert not required(invite)


async def test_who_has_called_us_is_remembered_too(autojump_clock, world):
    """Its INVITE says what it takes, and an address to call it by."""
    async with native(world, ice_servers=SILENT) as (client, far):
        side = await called_by(client, far, TAKES, KNOWS)
        await side.connect()
        far.respond(await far.expect("INFO"), 200)
        _, took, call = await next_invite(client, far)
        call.hangup()

    assert took < 0.1


class Stranger(FarEnd):
    """Calls by a name whose address is not where it calls from."""

    uri = "sip:bob@10.0.0.7:5060"


@pytest.mark.parametrize("says", [(TAKES, KNOWS), ()])
async def test_a_stranger_teaches_nothing(autojump_clock, world, says):
    """RFC 8840 §5.2, and anybody can write a From: it makes nobody known, and nobody forgotten."""
    made = world()
    made.media = driven_media(seed=b"trickle", now=trio.current_time())
    victim, other = Stranger.uri, f"sip:bob@{FAR[0]}:5061"
    async with made.client(ice_servers=SILENT) as client:
        memory = client._wiring.trickle_memory
        memory.learn("", other, SAYS)
        memory.learn("", victim, Headers() if says else SAYS)
        with Stranger(made.link.host(FAR[0]), FAR, NEAR) as far:
            side = await called_by(client, far, *says)
            await side.connect()
            await trio.sleep(1)
            assert side.call._session.is_acknowledged
            side.call.hangup()

        assert memory.knows("", victim) is not bool(says)
        assert memory.knows("", other)


async def test_a_caller_without_an_ack_teaches_nothing(autojump_clock, world):
    """Its source address may be forged as well: only who hears us can acknowledge."""
    async with native(world, ice_servers=SILENT) as (client, far):
        side = await called_by(client, far, TAKES, KNOWS)
        await side.call.answer()
        await far.expect(200)
        memory = client._wiring.trickle_memory
        assert not memory.knows("", far.uri)
        side.tag = ""
        side.call.hangup()


async def test_a_peer_that_is_trusted_vouches_for_callers(autojump_clock, world):
    """RFC 3325: whom it asserts is who calls."""
    made = world()
    made.media = driven_media(seed=b"trickle", now=trio.current_time())
    trunk = trivox.AccountConfig(
        "sip:trunk@10.0.0.9", registrar="", proxy="sip:10.0.0.9", trusted=True
    )
    async with made.with_far_end(ice_servers=SILENT, accounts=[trunk]) as (client, far):
        asserted = ("P-Asserted-Identity", "<sip:carol@example.org>")
        side = await called_by(client, far, TAKES, KNOWS, asserted)
        await side.connect()
        await trio.sleep(1)
        side.call.hangup()

        assert client._wiring.trickle_memory.knows(trunk.uri, "sip:carol@example.org")


class Carol(FarEnd):
    """Calls from the server of its domain."""

    uri = "sip:carol@example.org"


@pytest.mark.parametrize("is_asked", [True, False])
async def test_a_caller_is_known_by_the_server_of_its_domain(autojump_clock, world, is_asked):
    """By what the DNS has said before: a call that comes asks it nothing."""
    made = world()
    made.media = driven_media(seed=b"trickle", now=trio.current_time())
    settings = {"ice_servers": SILENT, "dns": servers("udp", FAR[0])}
    async with made.client(**settings) as client:
        with Carol(made.link.host(FAR[0]), FAR, NEAR) as far:
            if is_asked:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.request, "OPTIONS", BOB)
                    far.respond(await far.expect("OPTIONS"), 200)
            side = await called_by(client, far, TAKES, KNOWS)
            await side.connect()
            await trio.sleep(1)
            side.call.hangup()

        assert client._wiring.trickle_memory.knows("", Carol.uri) is is_asked


@pytest.mark.parametrize(
    ("uri", "leads"), [("sip:far@10.0.0.2", True), ("sip:far@10.0.0.3", False), ("no uri", False)]
)
async def test_over_tcp_the_host_counts(autojump_clock, world, uri, leads):
    """The port of a connection from there is any."""
    calls = []

    async def note(call):
        calls.append(call)
        await call.answer()
        await call.wait_ended()

    own = world(transport="tcp")
    async with own.client() as callee, own.client("10.0.0.2") as caller:
        async with trio.open_nursery() as nursery:
            await nursery.start(callee.serve, note)
            async with caller.dial("sip:us@10.0.0.1:5060;transport=tcp"):
                (call,) = calls
                assert callee._wiring.leads_back(uri, call._route) is leads
            nursery.cancel_scope.cancel()


async def test_a_change_of_the_call_forgets_nothing(autojump_clock, world):
    """A re-INVITE need not say again what its sender takes."""
    async with called(world, AUTO) as (client, far, call, invite):
        far.respond(invite, 200, to_tag="a", headers=[TAKES, KNOWS], body=ICE_ANSWER)
        await far.expect("ACK")
        call._step(Trigger.MEDIA_UP)
        far.request(
            "INVITE",
            "sip:us@10.0.0.1:5060",
            call_id=call.sip_call_id,
            from_tag="a",
            to_tag=invite.from_tag,
            body=ICE_ANSWER.replace("a=setup:active", "a=setup:actpass"),
        )
        far.acknowledge(await far.expect(200))
        await far.silence(0.1)

        assert client._wiring.trickle_memory.knows("", far.uri)

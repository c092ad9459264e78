"""Clients that obey the load filters of a server, which is a client too (RFC 7200)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

import trivox
from trivox import CallIdentity, LoadControl, LoadIdentity, LoadRule
from trivox.client import load_filters
from trivox.client.load_filters import ObeyedFilters
from trivox.errors import (
    CallFailedError,
    HeldBackError,
    InvalidArgumentsError,
    SubscriptionError,
)

SERVER = "10.0.0.2"
EDGE = f"sip:edge@{SERVER}:5060;transport=udp"
CALLEE = f"sip:bob@{SERVER}:5060;transport=udp"
OTHER = f"sip:carol@{SERVER}:5060;transport=udp"


def to(uri: str) -> tuple[CallIdentity, ...]:
    return (CallIdentity(callees=(LoadIdentity(uri=uri),)),)


NOTHING_TO_BOB = LoadRule(id="bob", calls=to(CALLEE), percent=0.0)


@asynccontextmanager
async def told(world, *rules: LoadRule, handler=None, **wish):
    """A client that obeys the filters of another, and the other's watchers."""
    stage, watchers = world(), []

    def accept(event: trivox.SubscriptionRequested) -> None:
        watchers.append(event.accept(LoadControl(rules=rules)))

    async with (
        stage.client(keep_trace=True) as one,
        stage.client(SERVER, event_packages=["load-control"]) as server,
        trio.open_nursery() as nursery,
    ):
        server.on(trivox.SubscriptionRequested, accept)
        await nursery.start(server.serve, handler or _answer)
        async with one.obey_load_filters(EDGE, **wish) as filters:
            await trio.sleep(1)
            yield one, filters, watchers
        nursery.cancel_scope.cancel()


async def _answer(call: trivox.Call) -> None:
    await call.answer()
    await call.wait_ended()


async def _send_on(call: trivox.Call) -> None:
    await call.redirect([OTHER])


@asynccontextmanager
async def limited():
    """Fail where a message that is expected never comes."""
    with trio.fail_after(500):
        yield


async def is_let_out(client, uri: str = CALLEE) -> bool:
    """Call somebody, who answers everybody."""
    try:
        async with client.dial(uri):
            return True
    except CallFailedError as error:
        if not isinstance(error.__cause__, HeldBackError):
            raise
        return False


async def test_what_a_filter_names_is_held_back(autojump_clock, world) -> None:
    """RFC 7200 §4.8: the call fails here, and nothing of it is sent."""
    async with told(world, NOTHING_TO_BOB) as (one, filters, _):
        events = []
        call = one.create_call(CALLEE)
        call.on(trivox.Failed, events.append)
        with pytest.raises(CallFailedError, match="held back by the load filter 'bob'") as caught:
            await call.start()

        assert isinstance(caught.value.__cause__, HeldBackError)
        assert (events[0].code, call.end.sip_code) == (503, 503)
        assert not call.trace
        assert await is_let_out(one, OTHER)
        assert filters.rules == (NOTHING_TO_BOB,)
        assert (filters.held_back, one.statistics().held_back) == (1, 1)


async def test_leaving_drops_the_filters(autojump_clock, world) -> None:
    async with told(world, NOTHING_TO_BOB) as (one, filters, watchers):
        await filters.__aexit__(None, None, None)

        assert await is_let_out(one)
        assert filters.rules == ()
        assert watchers[0].state.value is trivox.NotifierState.OVER


async def test_a_server_changes_what_it_asks_for(autojump_clock, world) -> None:
    """RFC 7200 §4.11: a partial document changes what it names."""
    async with told(world, NOTHING_TO_BOB) as (one, _, watchers):
        assert not await is_let_out(one)
        more = LoadRule(id="bob", calls=to(CALLEE), percent=100.0)
        watchers[0].notify(LoadControl(version=1, is_full=False, rules=(more,)))
        await trio.sleep(1)

        assert await is_let_out(one)


async def test_calls_leave_at_the_rate_of_the_filter(autojump_clock, world) -> None:
    """RFC 7200 §5.4."""
    async with told(world, LoadRule(id="1", methods=("INVITE",), rate=1.0)) as (one, _, _):
        outcomes = []
        for _ in range(4):
            outcomes.append(await is_let_out(one))
            await trio.sleep(0.4)

    assert outcomes == [True, False, False, True]


async def _ring(call: trivox.Call) -> None:
    await trio.sleep(5)
    await call.answer()
    await call.wait_ended()


async def test_so_many_calls_ring_at_once_as_the_window_has_places(autojump_clock, world) -> None:
    """RFC 7200 §5.4: `win`, of INVITEs without a final response; who hangs up makes room too."""
    rule = LoadRule(id="w", methods=("INVITE",), window=1.0)
    async with told(world, rule, handler=_ring) as (one, filters, _), trio.open_nursery() as calls:
        first = one.create_call(CALLEE)
        await first.start()
        assert not await is_let_out(one)
        await trio.sleep(6)
        assert first.state.value is trivox.CallState.CONNECTED

        calls.start_soon(is_let_out, one, OTHER)
        await trio.sleep(2)
        assert not await is_let_out(one)
        await trio.sleep(10)
        given_up = one.create_call(CALLEE)
        await given_up.start()
        given_up.hangup()
        await given_up.wait_ended()
        await trio.sleep(1)
        assert await is_let_out(one)
        assert (filters.held_back, len(one._wiring.exchange._outstanding.waiting)) == (2, 0)
        first.hangup()


async def test_a_place_lasts_until_the_request_with_a_password_is_answered(
    autojump_clock, world
) -> None:
    stage, rule = world(), LoadRule(id="w", methods=("OPTIONS",), window=1.0)
    account = trivox.AccountConfig("sip:alice@10.0.0.9", password="pw")
    async with stage.with_far_end(accounts=[account]) as (one, far), limited():
        filters = one._wiring.routes.filters
        obeyed = ObeyedFilters(filters, None, None, ())
        obeyed.filter.take(LoadControl(rules=(rule,)), "server")
        filters.followed.append(obeyed)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                partial(one.request, account=one.accounts[account.uri]), "OPTIONS", far.uri
            )
            challenge = ("WWW-Authenticate", 'Digest realm="10.0.0.9", nonce="n", qop="auth"')
            far.respond(await far.expect("OPTIONS"), 401, headers=[challenge])
            again = await far.expect("OPTIONS")
            assert again.header("Authorization")
            with pytest.raises(HeldBackError):
                await one.request("OPTIONS", far.uri)
            far.respond(again, 200)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.request, "OPTIONS", far.uri)
            far.respond(await far.expect("OPTIONS"), 200)


async def test_a_registration_is_held_back_by_a_rule_that_names_it(autojump_clock, world) -> None:
    """RFC 7200 §5.3.2; a refresh is not, as what is registered would be lost."""
    stage = world()
    account = trivox.AccountConfig("sip:alice@10.0.0.9", password="pw")
    async with stage.with_far_end(accounts=[account]) as (one, far), limited():
        filters = one._wiring.routes.filters
        obeyed = ObeyedFilters(filters, None, None, ())
        obeyed.filter.take(LoadControl(rules=(LoadRule(id="all", percent=0.0),)), "server")
        filters.followed.append(obeyed)
        own = one.accounts[account.uri]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(own.register)
            far.respond(await far.expect("REGISTER"), 200, headers=[("Expires", "60")])
        named = LoadRule(id="all", methods=("REGISTER",), percent=0.0)
        obeyed.filter.take(LoadControl(version=1, rules=(named,)), "server")

        far.respond(await far.expect("REGISTER"), 200, headers=[("Expires", "60")])
        other = one.add_account(trivox.AccountConfig("sip:bob@10.0.0.9", password="pw"))
        with pytest.raises(HeldBackError):
            await other.register()
        assert filters.held_back == 1
        filters.followed.remove(obeyed)


async def test_who_is_sent_on_is_held_back_too(autojump_clock, world) -> None:
    """RFC 7200 §4.8: a redirection leads to a request as any other, which the filter counts."""
    rule = LoadRule(id="carol", calls=(CallIdentity(targets=(LoadIdentity(uri=OTHER),)),), rate=0.0)
    async with told(world, rule, handler=_send_on) as (one, filters, _):
        call = one.create_call(CALLEE, trivox.CallSettings(redirects=3))
        await call.start()
        await call.wait_ended()

        assert (call.end.sip_code, filters.held_back) == (503, 1)
        assert "held back by the load filter 'carol'" in call.end.sip_reason


async def test_who_is_exempt_is_never_held_back(autojump_clock, world) -> None:
    everything = LoadRule(id="all", percent=0.0)
    async with told(world, everything, exempt=["112", "+49 110", OTHER]) as (one, filters, _):
        for number in ("112", "+49-110", "112;phone-context=+49"):
            assert await is_let_out(one, f"sip:{number}@{SERVER}:5060;transport=udp")
        assert await is_let_out(one, OTHER)
        assert not await is_let_out(one, CALLEE)
        assert filters.held_back == 1


async def test_other_requests_are_held_back_too(autojump_clock, world) -> None:
    """RFC 7200 §5.3.2: all that begin something, but for what asks for the filters."""
    redirect = {"alternative": "redirect", "alternative_target": "sip:later@x"}
    async with told(world, LoadRule(id="all", percent=0.0, **redirect)) as (one, _, watchers):
        with pytest.raises(HeldBackError) as caught:
            await one.request("OPTIONS", CALLEE)
        with pytest.raises(HeldBackError):
            await one.subscribe(CALLEE, "message-summary").__aenter__()
        watchers[0].terminate("deactivated")
        await trio.sleep(1)

        assert (caught.value.rule, caught.value.alternative) == ("all", "sip:later@x")
        assert len(watchers) == 2  # begun anew
        assert not await is_let_out(one)


async def test_filters_end_with_their_subscription(autojump_clock, world) -> None:
    """RFC 6665 §4.1.3: "noresource" is for good."""
    async with told(world, NOTHING_TO_BOB) as (one, filters, watchers):
        watchers[0].terminate("noresource")
        await trio.sleep(1)

        assert filters.rules == ()
        assert await is_let_out(one)


async def test_a_filter_holds_while_it_is_valid(autojump_clock, world, monkeypatch) -> None:
    """RFC 7200 §5.3.4: by the clock of the system."""
    begin, end = 1_893_456_000.0, 1_893_459_600.0
    rule = LoadRule(id="new year", percent=0.0, validity=((begin, end),))
    async with told(world, rule) as (one, _, _):
        monkeypatch.setattr(load_filters, "present", lambda: begin)
        assert not await is_let_out(one)
        monkeypatch.setattr(load_filters, "present", lambda: end)
        assert await is_let_out(one)


async def test_a_next_hop_is_known_by_its_address(autojump_clock, world) -> None:
    """RFC 7200 §5.3.3: a rule of another server is none of this one's."""
    ours = LoadRule(id="ours", entity=EDGE, calls=to(CALLEE), percent=0.0)
    theirs = LoadRule(id="theirs", entity="sip:10.0.0.9", percent=0.0)
    async with told(world, ours, theirs) as (one, _, _):
        assert not await is_let_out(one)
        assert await is_let_out(one, OTHER)


async def test_a_server_without_filters_is_told_on_entering(autojump_clock, world) -> None:
    stage = world()
    async with stage.client() as one, stage.client(SERVER):
        with pytest.raises(SubscriptionError) as caught:
            await one.obey_load_filters(EDGE).__aenter__()

        assert caught.value.sip_code == 489
        assert one._wiring.routes.filters.followed == []


async def test_one_text_is_no_list_of_exemptions(autojump_clock, world) -> None:
    async with world().client() as one:
        with pytest.raises(InvalidArgumentsError, match="exempt"):
            one.obey_load_filters(EDGE, exempt="112")


async def test_a_body_that_cannot_be_read_changes_nothing(autojump_clock, world) -> None:
    async with told(world, NOTHING_TO_BOB) as (one, filters, watchers):
        watchers[0].notify(b"<!DOCTYPE ruleset><ruleset version='9'/>")
        await trio.sleep(1)

        assert filters.rules == (NOTHING_TO_BOB,)
        assert not await is_let_out(one)

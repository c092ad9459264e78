"""The account a call that comes in belongs to: by contact, by address of record, by trunk."""

from __future__ import annotations

import pytest
import trio

from trivox.call.host import Route
from trivox.client.config import AccountConfig
from trivox.sip.identity import LocalIdentity

TRUNK = AccountConfig("sip:trunk@carrier.example", registrar="", proxy="sip:10.0.0.9:5080")
NAMED = AccountConfig("sip:named@carrier.example", registrar="")
ALICE = AccountConfig("sip:alice@example.org")
BOB = AccountConfig("sip:bob@example.org")


async def _account_of(client, far, uri: str, **arguments):
    """Return the address of record of the account that a call to `uri` is given."""
    calls = client.incoming_calls()
    far.request("INVITE", uri, **arguments)
    with trio.fail_after(5):
        call = await anext(calls)
    calls.close()
    return call.account.uri if call.account is not None else None


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("sip:alice@example.org", ALICE.uri),
        ("sip:bob@EXAMPLE.org:5060;transport=udp", BOB.uri),
        ("sip:carol@example.org", None),
        ("sip:bob@example.org:5070", None),
    ],
)
async def test_a_call_belongs_to_the_address_of_record_it_names(
    autojump_clock, world, uri, found
) -> None:
    async with world().with_far_end(accounts=[ALICE, BOB]) as (client, far):
        assert await _account_of(client, far, uri) == found


async def test_the_contact_named_by_the_request_uri_comes_before_the_address_of_record(
    autojump_clock, world
) -> None:
    async with world().with_far_end(accounts=[ALICE, BOB]) as (client, far):
        identity = LocalIdentity(BOB.uri, "<sip:alice@example.org;transport=udp>")
        (flow,) = client.accounts[BOB.uri]._flows
        flow.route = Route(0, ("10.0.0.9", 5060), "10.0.0.1", identity)

        assert await _account_of(client, far, "sip:alice@example.org:5060") == BOB.uri


async def test_a_call_for_nobody_belongs_to_the_trunk_at_its_source(autojump_clock, world) -> None:
    async with world().with_far_end(accounts=[ALICE, TRUNK]) as (client, far):
        assert await _account_of(client, far, "sip:+15550100@10.0.0.1") == TRUNK.uri
        named = await _account_of(client, far, "sip:alice@example.org", call_id="two")
        assert named == ALICE.uri


async def test_of_two_trunks_on_a_host_the_port_decides(autojump_clock, world) -> None:
    other = AccountConfig("sip:other@10.0.0.9:5060", registrar="")
    async with world().with_far_end(accounts=[TRUNK, other]) as (client, far):
        assert await _account_of(client, far, "sip:+15550100@10.0.0.1") == other.uri


async def test_the_domain_of_a_trunk_is_looked_up_again(autojump_clock, world) -> None:
    own = world()
    async with own.with_far_end(accounts=[NAMED]) as (client, far):
        await trio.sleep(1)
        assert await _account_of(client, far, "sip:1@10.0.0.1") is None
        own.link.names["carrier.example"] = "10.0.0.9"
        await trio.sleep(300)
        assert await _account_of(client, far, "sip:1@10.0.0.1", call_id="two") == NAMED.uri


async def test_an_account_added_later_is_a_trunk_at_once_and_its_successor_need_not_be(
    autojump_clock, world
) -> None:
    async with world().with_far_end() as (client, far):
        client.add_account(TRUNK)
        assert await _account_of(client, far, "sip:1@10.0.0.1") == TRUNK.uri
        client.add_account(AccountConfig(TRUNK.uri))
        assert await _account_of(client, far, "sip:1@10.0.0.1", call_id="two") is None


async def test_an_account_with_a_registrar_is_no_trunk(autojump_clock, world) -> None:
    account = AccountConfig("sip:alice@10.0.0.9:5060")
    async with world().with_far_end(accounts=[account]) as (client, far):
        assert await _account_of(client, far, "sip:1@10.0.0.1") is None

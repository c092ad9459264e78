"""The registrar and flows: Path (RFC 3327), outbound (RFC 5626)."""

from __future__ import annotations

import pytest

DOMAIN = "board.test"
URN = '"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'


def _contact(phone, *, reg_id=1, host=None, expires=600, instance=URN) -> str:
    uri = f"sip:{phone.name}@{host or phone.host}:5060"
    return f"Contact: <{uri}>;expires={expires};+sip.instance={instance};reg-id={reg_id}"


async def _register(phone, *headers, supported="outbound, path", **fields):
    to = f"<sip:{phone.name}@{DOMAIN}>"
    lines = (*headers, f"Supported: {supported}") if supported else headers
    await phone.authorized("REGISTER", f"sip:{DOMAIN}", headers=lines, to=to, **fields)
    return await phone.receive("SIP/2.0")


async def test_an_outbound_registration_is_granted_and_listed_section_6(
    autojump_clock, phones, board
) -> None:
    async with board():
        answer = await _register(phones("alice", 2), _contact(phones("alice", 3)))

    assert answer.status == 200
    assert answer.values("Require") == ["outbound"]
    assert answer.header("Flow-Timer") == "120"
    assert f"+sip.instance={URN};reg-id=1" in answer.header("Contact")


async def test_require_outbound_is_understood(autojump_clock, phones, board) -> None:
    alice = phones("alice", 2)
    async with board():
        answer = await _register(
            alice, _contact(alice), "Require: outbound, path", supported="path"
        )

    assert answer.status == 200
    assert answer.values("Require") == ["outbound"]


@pytest.mark.parametrize(
    ("supported", "more"),
    [("path", {}), ("outbound", {"reg_id": 0}), ("outbound", {"instance": '""'})],
)
async def test_without_device_flow_or_wish_it_is_a_plain_binding(
    autojump_clock, phones, board, supported, more
) -> None:
    alice = phones("alice", 2)
    async with board():
        answer = await _register(alice, _contact(alice, **more), supported=supported)

    assert answer.status == 200
    assert answer.values("Require") == []
    assert "reg-id" not in answer.header("Contact")


async def test_the_same_flow_of_a_device_replaces_its_binding_section_6(
    autojump_clock, phones, board
) -> None:
    alice = phones("alice", 2)
    async with board() as own:
        await _register(alice, _contact(alice, host="10.0.0.2"))
        await _register(alice, _contact(alice, host="10.0.0.77"))
        await _register(alice, _contact(alice, host="10.0.0.2", reg_id=2))

        assert own.registered("alice") == ("sip:alice@10.0.0.77:5060", "sip:alice@10.0.0.2:5060")


async def test_a_flow_is_removed_with_expires_0(autojump_clock, phones, board) -> None:
    alice = phones("alice", 2)
    async with board() as own:
        await _register(alice, _contact(alice))
        answer = await _register(alice, _contact(alice, expires=0))

        assert answer.headers("Contact") == []
        assert answer.values("Require") == []
        assert own.registered("alice") == ()


async def test_a_device_is_called_once_by_its_newest_flow_section_5_3(
    autojump_clock, phones, board
) -> None:
    alice, bob, other = phones("alice", 2), phones("bob", 3), phones("bob", 4)
    async with board():
        await _register(bob, _contact(bob, reg_id=1))
        await _register(other, _contact(other, reg_id=2))
        await alice.invite("bob")
        invite = await other.receive("INVITE")
        other.answer(invite, 486, contact=False)
        await alice.receive("SIP/2.0 486")
        await bob.hears_nothing()

    assert invite.uri == other_contact(other)


def other_contact(phone) -> str:
    return f"sip:{phone.name}@{phone.host}:5060"


async def test_a_call_takes_the_path_of_the_registration_rfc_3327_section_5_4(
    autojump_clock, phones, board
) -> None:
    """RFC 3327 §5.4."""
    alice, edge = phones("alice", 2), phones("bob", 5)
    path = f"<sip:{edge.host}:5060;lr;ob>"
    async with board():
        answer = await _register(edge, f"Path: {path}", "Contact: <sip:bob@10.0.0.99>;expires=600")
        await alice.invite("bob")
        invite = await edge.receive("INVITE")
        edge.answer(invite, 486, contact=False)
        await alice.receive("SIP/2.0 486")

    assert answer.values("Path") == [path]
    assert invite.uri == "sip:bob@10.0.0.99"
    assert invite.values("Route") == [path]


@pytest.mark.parametrize(("mark", "status"), [(";ob", 200), ("", 439)])
async def test_an_edge_proxy_must_keep_the_flow_section_6(
    autojump_clock, phones, board, mark, status
) -> None:
    edge = phones("bob", 5)
    async with board():
        path = f"Path: <sip:{edge.host}:5060;lr{mark}>"
        answer = await _register(edge, path, _contact(edge))

    assert answer.status == status


async def test_a_hop_that_adds_no_path_breaks_outbound_section_6(
    autojump_clock, phones, board
) -> None:
    edge = phones("bob", 5)
    via = "Via: SIP/2.0/UDP 10.0.0.99:5060;branch=z9hG4bKphone"
    async with board():
        answer = await _register(edge, via, _contact(edge))

    assert answer.status == 439


async def test_a_path_to_another_host_leads_back_to_where_it_came_from(
    autojump_clock, phones, board, link
) -> None:
    alice, edge = phones("alice", 2), phones("bob", 5)
    victim = link.host("10.0.0.66").bind_datagram(("10.0.0.66", 5060))
    async with board():
        await _register(
            edge, "Path: <sip:10.0.0.66;lr>", "Contact: <sip:bob@10.0.0.66>;expires=600"
        )
        await alice.invite("bob")
        invite = await edge.receive("INVITE")
        edge.answer(invite, 486, contact=False)
        await alice.receive("SIP/2.0 486")

    assert victim.receive(9) == []
    victim.close()


async def test_a_path_that_does_not_parse_is_bad(autojump_clock, phones, board) -> None:
    edge = phones("bob", 5)
    async with board():
        answer = await _register(edge, "Path: <<", "Contact: <sip:bob@10.0.0.5>;expires=600")

    assert answer.status == 400

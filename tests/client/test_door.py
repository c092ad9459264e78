"""Overload and limits, seen from outside: who is taken, who waits, who is refused, who never is."""

from __future__ import annotations

import pytest
import trio

from trivox import AccountConfig, DoorLimits, InvalidArgumentsError
from trivox.testing.far_end import FarEnd

OWN_URI = "sip:bot@10.0.0.1:5060"


async def _answer(call) -> None:
    await call.answer()
    await call.wait_ended()


def _invite(far, number: int) -> None:
    far.request(
        "INVITE", OWN_URI, call_id=f"c{number}", from_tag=f"f{number}", branch=f"z9hG4bK{number}"
    )


async def _finals(far, count: int) -> dict[str, int]:
    """Return the final status of so many INVITEs by Call-ID."""
    found: dict[str, int] = {}
    while len(found) < count:
        message = await far.receive()
        if message.status >= 200 and message.key()[0] == "INVITE":
            found[message.header("Call-ID")] = message.status
    return found


def _counted(client) -> dict[str, int]:
    return client.statistics().sip.core


async def test_a_burst_waits_for_its_turns_and_is_answered_whole(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)

        for number in range(200):
            _invite(far, number)
        answers = await _finals(far, 200)

        assert set(answers.values()) == {200}
        assert _counted(client)["waited"] > 100
        assert _counted(client)["refused"] == 0
        nursery.cancel_scope.cancel()


async def test_what_the_room_has_no_place_for_is_refused_and_then_dropped(
    autojump_clock, world
) -> None:
    door = DoorLimits(waiting=20, refusals_per_second=5)
    async with world().with_far_end(door=door, retry_after=9) as (client, far):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, _answer)

            for number in range(60):
                _invite(far, number)
            answers = await _finals(far, 16 + 20 + 5)

            assert sorted(answers.values()) == [200] * 36 + [503] * 5
            assert _counted(client)["refusals_dropped"] == 19
            nursery.cancel_scope.cancel()


async def test_the_door_shuts_at_max_calls_and_opens_again(autojump_clock, world) -> None:
    async with world().with_far_end(max_calls=1, retry_after=9) as (client, far):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, _answer)
            _invite(far, 1)
            answer = await far.expect(200)
            far.acknowledge(answer)

            _invite(far, 2)
            refusal = await far.expect(503)
            far.request(
                "INFO", OWN_URI, call_id="c1", from_tag="f1", to_tag=answer.key()[4], cseq=2
            )
            inside = await far.receive()
            far.request("BYE", OWN_URI, call_id="c1", from_tag="f1", to_tag=answer.key()[4], cseq=3)
            await far.expect(200)
            _invite(far, 3)
            again = await far.expect(200)

            assert refusal.header("Retry-After") == "9"
            assert inside.status != 503
            assert again.header("Call-ID") == "c3"
            assert _counted(client)["refused_by_calls"] == 1
            nursery.cancel_scope.cancel()


async def test_calls_per_second_are_let_in_as_they_come_due(autojump_clock, world) -> None:
    async with world().with_far_end(max_calls_per_second=2) as (client, far):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, _answer)

            for number in range(4):
                _invite(far, number)
            first = await _finals(far, 4)
            await trio.sleep(1)
            _invite(far, 10)
            later = await _finals(far, 1)

            assert sorted(first.values()) == [200, 200, 503, 503]
            assert list(later.values()) == [200]
            nursery.cancel_scope.cancel()


async def test_a_source_that_floods_is_banned_and_its_dialogs_live(autojump_clock, world) -> None:
    door = DoorLimits(requests_per_source=2, source_ban=30)
    async with world().with_far_end(door=door) as (client, far):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, _answer)
            _invite(far, 1)
            answer = await far.expect(200)
            far.acknowledge(answer)

            for number in range(2, 10):
                _invite(far, number)
            await trio.sleep(0.1)
            far.request("BYE", OWN_URI, call_id="c1", from_tag="f1", to_tag=answer.key()[4], cseq=2)
            while (await far.expect(200)).key()[0] != "BYE":
                pass

            assert _counted(client)["bans"] == 1
            assert _counted(client)["refused_by_source"] == 7
            nursery.cancel_scope.cancel()


async def test_the_ack_for_a_refusal_goes_no_further(autojump_clock, world) -> None:
    async with world().with_far_end(max_calls=0) as (client, far):
        _invite(far, 1)
        refusal = await far.expect(503)
        far.request(
            "ACK", OWN_URI, call_id="c1", from_tag="f1", to_tag=refusal.key()[4], branch="z9hG4bK1"
        )
        await trio.sleep(1)

        assert _counted(client)["refusals_acknowledged"] == 1
        assert _counted(client)["transactions"] == 0


@pytest.mark.parametrize("transport", ["tcp"])
async def test_a_crowd_on_connections_is_taken_in_turns_too(
    autojump_clock, world, transport
) -> None:
    async with world(transport=transport).with_server(_answer) as (caller, uri):
        async with trio.open_nursery() as nursery:
            reached: list[str] = []

            async def one() -> None:
                async with caller.dial(uri) as call:
                    reached.append(call.id)

            for _ in range(50):
                nursery.start_soon(one)

        assert len(reached) == 50


PUBLIC = ("203.0.113.9", 5060)
PRIVATE = ("10.0.0.99", 5060)


@pytest.mark.parametrize(("address", "bans"), [(PUBLIC, 1), (PRIVATE, 0)])
async def test_by_default_a_public_source_has_a_limit_and_a_private_one_has_none(
    autojump_clock, world, address, bans
) -> None:
    here = world()
    async with here.client() as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)
        with FarEnd(here.link.host(address[0]), address, ("10.0.0.1", 5060)) as far:
            for number in range(600):
                _invite(far, number)
            await trio.sleep(1)

            assert _counted(client)["bans"] == bans
            assert _counted(client)["refused_by_source"] == (100 if bans else 0)
        nursery.cancel_scope.cancel()


async def test_invented_dialogs_are_answered_481_and_cost_the_program_little(
    autojump_clock, world
) -> None:
    """RFC 3261 §12.2.2; what is inside a dialog is not touched by it."""
    door = DoorLimits(unknown_dialogs=3, refusals_per_second=10)
    async with world().with_far_end(door=door) as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)
        _invite(far, 1)
        answer = await far.expect(200)
        far.acknowledge(answer)

        for number in range(100, 150):
            far.request("INFO", OWN_URI, call_id=f"c{number}", from_tag="x", to_tag="invented")
        far.request("BYE", OWN_URI, call_id="c1", from_tag="f1", to_tag=answer.key()[4], cseq=2)
        seen = []
        while 200 not in seen:
            seen.append((await far.receive()).status)

        assert seen.count(481) == 3 + 10
        assert _counted(client)["refused_strangers"] == 47
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("networks", [("10.0.0.1/8",), ("everybody",), (7,), "10.0.0.0/8"])
def test_what_is_no_network_is_refused(networks) -> None:
    with pytest.raises(InvalidArgumentsError, match="unlimited_networks"):
        DoorLimits(unlimited_networks=networks)


TRUNK = AccountConfig("sip:trunk@10.0.0.9", registrar="")
BEHIND = AccountConfig("sip:bot@carrier.example", registrar="", proxy="sip:10.0.0.9:5080")


@pytest.mark.parametrize("settings", [{"accounts": [TRUNK]}, {"accounts": [BEHIND]}])
async def test_a_trunk_cannot_be_banned_by_who_writes_its_address(
    autojump_clock, world, settings
) -> None:
    """Whoever floods in a carrier's name would else cut it off for 10 s."""
    door = DoorLimits(requests_per_source=3)
    here = world()
    async with here.with_far_end(door=door, **settings) as (client, far):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, _answer)
            with FarEnd(here.link.host("10.0.0.7"), ("10.0.0.7", 5060), far.peer) as stranger:
                for number in range(8):
                    _invite(stranger, 100 + number)
                    _invite(far, number)
                answers = await _finals(far, 8)

                assert set(answers.values()) == {200}
                assert _counted(client)["bans"] == 1
                assert sorted((await _finals(stranger, 4)).values()) == [200] * 3 + [503]
            nursery.cancel_scope.cancel()


async def test_a_program_that_names_the_exempt_has_named_them_all(autojump_clock, world) -> None:
    door = DoorLimits(requests_per_source=3, unlimited_networks=())
    async with world().with_far_end(door=door, accounts=[TRUNK]) as (client, far):
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, _answer)
            for number in range(8):
                _invite(far, number)
            answers = await _finals(far, 4)

            assert sorted(answers.values()) == [200] * 3 + [503]
            nursery.cancel_scope.cancel()


async def test_an_outbound_proxy_is_exempt_once_it_was_found(autojump_clock, world) -> None:
    door = DoorLimits(requests_per_source=3)
    settings = {"door": door, "outbound_proxy": "sip:10.0.0.9:5060"}
    async with world().with_far_end(**settings) as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)
        call = client.create_call("sip:bob@example.org")
        await call.start()
        far.respond(await far.expect("INVITE"), 486)

        for number in range(8):
            _invite(far, number)
        answers = await _finals(far, 8)

        assert set(answers.values()) == {200}
        nursery.cancel_scope.cancel()


async def test_a_trunk_whose_addresses_change_for_ever_is_remembered_within_bounds(
    autojump_clock, world, monkeypatch
) -> None:
    monkeypatch.setattr("trivox.client.wiring._MOST_SERVERS", 8)
    async with world().client() as client:
        wiring = client._wiring
        for number in range(100):
            wiring.exempt((f"192.0.2.{number}", "198.51.100.1"))

        assert len(wiring._servers) == 8
        assert "192.0.2.99" in wiring._servers
        assert "192.0.2.1" not in wiring._servers

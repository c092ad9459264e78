"""Registration by flows: two ways in, keep-alives, lost flows, Service-Route, GRUU."""

from __future__ import annotations

import pytest
import trio

from trivox import AccountConfig, CallSettings, RegistrationState
from trivox.errors import InvalidArgumentsError, TargetRefusedError
from trivox.switchboard import open_switchboard
from trivox.testing.far_end import FarEnd

BOARD = "10.0.0.100"
USERS = {"alice": "pw-a", "bob": "pw-b"}
URN = "urn:uuid:00000000-0000-1000-8000-000A95A0E128"
S = RegistrationState


def _board(own):
    return open_switchboard(
        listen=[f"sip:{BOARD}:{port};transport=tcp" for port in (5060, 5070)],
        users=USERS,
        sockets=own.link.host(BOARD),
        seed=bytes(32),
    )


def _account(name: str, **more) -> AccountConfig:
    proxies = [f"sip:{BOARD}:{port};transport=tcp" for port in (5060, 5070)]
    fields = {"proxy": proxies[0], "flow_proxies": proxies[1:], "instance_id": URN, **more}
    return AccountConfig(
        f"sip:{name}@{BOARD}", password=USERS[name], registrar=f"sip:{BOARD}", **fields
    )


async def _talk(call) -> None:
    await call.answer()
    await call.wait_ended()


async def _settled(account) -> None:
    """Wait until no REGISTER is out."""
    await trio.sleep(1)
    assert set(account.flows) <= {S.REGISTERED, S.FAILED}


async def test_two_flows_are_registered_and_one_is_enough_rfc_5626_section_4_5(
    autojump_clock, world
) -> None:
    """RFC 5626 §4.5."""
    own = world(transport="tcp")
    async with (
        _board(own) as board,
        own.client("10.0.0.1", accounts=[_account("bob")]) as callee,
        own.client("10.0.0.2", accounts=[_account("alice")]) as caller,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, _talk)
        (bob,) = callee.accounts.values()
        await bob.registration.wait_value(S.REGISTERED)
        await _settled(bob)
        assert bob.flows == (S.REGISTERED, S.REGISTERED)
        assert len(board.registered("bob")) == 2

        callee._wiring.endpoint.close_flow(bob._flows[1].in_use.flow)
        await _settled(bob)
        assert bob.flows == (S.REGISTERED, S.FAILED)
        assert bob.registration.value is S.REGISTERED
        assert len(board.registered("bob")) == 1
        (alice,) = caller.accounts.values()
        await alice.register()
        async with alice.dial(bob.uri) as call:
            assert call.state.value == "connected"

        # The other flow is up, so the back-off is 45 to 90 seconds.
        await trio.sleep(40)
        assert bob.flows == (S.REGISTERED, S.FAILED)
        await trio.sleep(51)
        assert bob.flows == (S.REGISTERED, S.REGISTERED)
        nursery.cancel_scope.cancel()


async def test_calls_leave_by_the_flow_that_is_up_and_say_so_section_4_3(
    autojump_clock, world
) -> None:
    invites = []

    def trace(now, direction, flow, local, remote, data) -> None:
        if data.startswith(b"INVITE") and direction == "out":
            invites.append((remote, data.decode()))

    own = world(transport="tcp")
    async with (
        _board(own),
        own.client("10.0.0.1", accounts=[_account("bob")]) as callee,
        own.client("10.0.0.2", accounts=[_account("alice")], trace=trace) as caller,
        trio.open_nursery() as nursery,
    ):
        await nursery.start(callee.serve, _talk)
        await trio.sleep(1)
        (alice,) = caller.accounts.values()
        await alice.register()
        await _settled(alice)
        caller._wiring.endpoint.close_flow(alice._flows[0].in_use.flow)
        await trio.sleep(1)
        async with alice.dial(f"sip:bob@{BOARD}"):
            await trio.sleep(1)
        nursery.cancel_scope.cancel()

    assert [remote for remote, _ in invites] == [(BOARD, 5070)] * len(invites)
    assert ";ob>" in invites[-1][1]


async def test_a_dead_flow_is_noticed_by_its_missing_pong_section_4_4_1(
    autojump_clock, world
) -> None:
    own = world(transport="tcp")
    async with own.client(
        "10.0.0.1", accounts=[_account("bob", flow_proxies=(), outbound=True)]
    ) as client:
        (bob,) = client.accounts.values()
        async with trio.open_nursery() as nursery:
            server = _Registrar(own, pongs=2)
            nursery.start_soon(server.run)
            await bob.register()
            start = trio.current_time()
            await bob.registration.wait_value(S.FAILED)

            assert server.pings == 3
            assert 3 * 96 + 10 <= trio.current_time() - start <= 3 * 120 + 12

            start = trio.current_time()
            await bob.registration.wait_value(S.REGISTERED)
            assert 15 <= trio.current_time() - start <= 31
            assert server.connections == 2
            nursery.cancel_scope.cancel()


async def test_keep_alives_can_be_asked_for_over_udp(autojump_clock, world) -> None:
    config = AccountConfig("sip:a@10.0.0.9", registrar="sip:10.0.0.9", keep_alive=20)
    async with world().with_far_end(accounts=[config]) as (client, far):
        (account,) = client.accounts.values()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(account.register)
            far.respond(await far.expect("REGISTER"), 200, headers=[("Expires", "600")])
        pings = []
        with trio.move_on_after(61):
            while True:
                await far._socket.wait_readable()
                pings += far._socket.receive(9)

    assert [data for data, _ in pings] in ([b"\r\n\r\n"] * 3, [b"\r\n\r\n"] * 2)


async def test_a_registration_by_a_closed_connection_is_renewed_by_another(
    autojump_clock, world
) -> None:
    own = world(transport="tcp")
    config = _account("bob", flow_proxies=(), instance_id=None)
    async with _board(own) as board, own.client(accounts=[config]) as client:
        (bob,) = client.accounts.values()
        await bob.register()
        client._wiring.endpoint.close_flow(bob._flows[0].in_use.flow)
        await trio.sleep(1)
        assert bob.registration.value is S.FAILED
        assert board.registered("bob") == ()
        await trio.sleep(31)

        assert bob.registration.value is S.REGISTERED
        assert len(board.registered("bob")) == 1


async def test_a_proxy_without_address_is_tried_again_while_the_other_serves(
    autojump_clock, world
) -> None:
    own = world(transport="tcp")
    config = _account("bob", flow_proxies=("sip:later.example:5070;transport=tcp",))
    async with _board(own), own.client(accounts=[config]) as client:
        (bob,) = client.accounts.values()
        await bob.register()
        assert bob.flows == (S.REGISTERED, S.FAILED)
        await trio.sleep(100)
        assert bob.flows == (S.REGISTERED, S.FAILED)

        own.link.names["later.example"] = BOARD
        await trio.sleep(200)
        assert bob.flows == (S.REGISTERED, S.REGISTERED)


async def test_requests_of_the_account_take_the_service_route_rfc_3608_section_6_1(
    autojump_clock, world
) -> None:
    """RFC 3608 §6.1."""
    config = AccountConfig("sip:a@10.0.0.9", registrar="sip:10.0.0.9")
    own = world()
    async with own.with_far_end(accounts=[config]) as (client, far):
        (account,) = client.accounts.values()
        await _register(account, far, "<sip:10.0.0.70;lr>, <sip:core.example;lr>")
        with FarEnd(own.link.host("10.0.0.70"), ("10.0.0.70", 5060), ("10.0.0.1", 5060)) as edge:
            call = account.create_call("sip:b@elsewhere.example")
            await call.start()
            invite = await edge.expect("INVITE")
            edge.respond(invite, 486)
            await call.wait_ended()

    assert invite.values("Route") == ["<sip:10.0.0.70;lr>", "<sip:core.example;lr>"]
    assert invite.uri == "sip:b@elsewhere.example"


async def test_a_proxy_comes_before_the_service_route(autojump_clock, world) -> None:
    config = AccountConfig("sip:a@10.0.0.9", registrar="sip:10.0.0.9", proxy="sip:10.0.0.9:5060")
    async with world().with_far_end(accounts=[config]) as (client, far):
        (account,) = client.accounts.values()
        for named, routes in (
            ("<sip:core.example;lr>", ["<sip:10.0.0.9:5060;lr>", "<sip:core.example;lr>"]),
            ("<sip:x@10.0.0.9:5060;lr>", ["<sip:x@10.0.0.9:5060;lr>"]),
            ("<<", ["<sip:10.0.0.9:5060;lr>"]),
        ):
            await _register(account, far, named)
            call = account.create_call("sip:b@elsewhere.example")
            await call.start()
            invite = await far.expect("INVITE")
            far.respond(invite, 486)
            await call.wait_ended()
            assert invite.values("Route") == routes


async def test_a_service_route_into_a_closed_net_is_refused(autojump_clock, world) -> None:
    config = AccountConfig("sip:a@10.0.0.9", registrar="sip:10.0.0.9")
    async with world().with_far_end(accounts=[config]) as (client, far):
        (account,) = client.accounts.values()
        await _register(account, far, "<sip:127.0.0.1;lr>")

        with pytest.raises(Exception, match=r"127\.0\.0\.1") as raised:
            await account.create_call("sip:b@elsewhere.example").start()
        assert isinstance(raised.value.__cause__, TargetRefusedError)


GRUU = "sip:a@10.0.0.9;gr=urn:uuid:1"
HIDDEN_GRUU = "sip:tgruu.7hs@10.0.0.9;gr"


@pytest.mark.parametrize(
    ("privacy", "gruu"), [((), GRUU), (("id",), HIDDEN_GRUU), (("user", "critical"), HIDDEN_GRUU)]
)
async def test_a_gruu_is_the_contact_of_calls_rfc_5627_section_4_3(
    autojump_clock, world, privacy, gruu
) -> None:
    """RFC 5627 §4.3: the temporary one where the caller withholds who it is (RFC 3323 §4.1)."""
    config = AccountConfig(
        "sip:a@10.0.0.9", registrar="sip:10.0.0.9", proxy="sip:10.0.0.9", gruu=True
    )
    async with world().with_far_end(accounts=[config]) as (client, far):
        (account,) = client.accounts.values()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(account.register)
            asked = await far.expect("REGISTER")
            contact = f'{asked.header("Contact")};expires=600;pub-gruu="{GRUU}"'
            contact += f';temp-gruu="{HIDDEN_GRUU}"'
            lines = [(n, asked.header(n)) for n in ("Via", "From", "Call-ID", "CSeq")]
            lines += [("To", f"{asked.header('To')};tag=x"), ("Contact", contact)]
            far.send("SIP/2.0 200 OK", [*lines, ("Require", "outbound")])
        settings = CallSettings(privacy=privacy)
        call = account.create_call("sip:b@10.0.0.9", settings)
        await call.start()
        invite = await far.expect("INVITE")
        far.respond(invite, 486)
        await call.wait_ended()

    assert asked.header("Contact").count("+sip.instance") == 1
    assert invite.header("Contact") == f"<{gruu}>"


def test_what_is_no_instance_is_refused_at_once() -> None:
    with pytest.raises(InvalidArgumentsError, match="urn:uuid"):
        AccountConfig("sip:a@b", instance_id="my phone")


async def _register(account, far, service_route: str) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(account.register)
        headers = [("Expires", "600"), ("Service-Route", service_route)]
        far.respond(await far.expect("REGISTER"), 200, headers=headers)


class _Registrar:
    """A TCP registrar that takes everybody, and answers so many pings and no more."""

    def __init__(self, own, *, pongs: int) -> None:
        self.listener = own.link.host(BOARD).listen_stream((BOARD, 5060))
        self.pongs = pongs
        self.pings = self.connections = 0

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            try:
                while True:
                    connection = await self.listener.accept()
                    self.connections += 1
                    nursery.start_soon(self.serve, connection)
            finally:
                self.listener.close()

    async def serve(self, connection) -> None:
        try:
            while data := await connection.receive_some(65_536):
                if data == b"\r\n\r\n":
                    self.pings += 1
                    if self.pings <= self.pongs:
                        await connection.send_all(b"\r\n")
                else:
                    await connection.send_all(_accepted(data.decode()).encode())
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            connection.close()


def _accepted(register: str) -> str:
    names = ("Via:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:")
    kept = [line for line in register.split("\r\n") if line.startswith(names)]
    head = ["SIP/2.0 200 OK", *kept, "Expires: 3600", "Require: outbound", "Content-Length: 0"]
    return "\r\n".join([*head, "", ""])

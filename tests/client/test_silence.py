"""Silent mode: a scan finds nobody here, and who is known notices nothing (threat 27)."""

from __future__ import annotations

import pytest
import trio

from trivox import AccountConfig, DoorLimits, IncomingMessage
from trivox.client.admission import RULES, Rule
from trivox.sip.digest import DigestClient
from trivox.testing.far_end import SDP, FarEnd

HERE, SCANNER, TRUNK = ("10.0.0.1", 5060), ("10.0.0.66", 5060), ("10.0.0.9", 5060)
URI = "sip:us@10.0.0.1"
METHODS = sorted({*RULES, "PARTY"} - {"ACK"})
ADMITTED = [method for method, rule in RULES.items() if rule is Rule.ADMITTED]
CARRIER = AccountConfig("sip:trunk@carrier.example", registrar="", proxy="sip:10.0.0.9")
USERS = {"alice": "pw"}
SILENT = DoorLimits(silent=True)


class Scan:
    """One host that asks a silent server, and what the server counts."""

    def __init__(self, client, far: FarEnd) -> None:
        self.client = client
        self.far = far
        self.messages: list[IncomingMessage] = []
        client.on(IncomingMessage, self.messages.append)

    async def ask(self, method: str, **fields) -> int | None:
        """Return the final status; None when nothing at all came in as long as a client waits."""
        self.far.request(method, URI, body=SDP if method == "INVITE" else "", **fields)
        with trio.move_on_after(33):
            while True:
                message = await self.far.receive()
                if not message.is_request and message.status >= 200:
                    return message.status
                if not message.is_request:
                    return -1
        return None

    @property
    def core(self) -> dict[str, int]:
        return self.client.statistics().sip.core


async def _scanned(world, play, source=SCANNER, **settings) -> None:
    own = world()

    async def handler(call) -> None:
        call.reject(486)

    settings = {"door": SILENT, "accounts": [CARRIER], "users": USERS, **settings}
    async with own.client(**settings) as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, handler)
        with FarEnd(own.link.host(source[0]), source, HERE) as far:
            await play(Scan(client, far))
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("method", METHODS)
async def test_a_scanner_hears_nothing_where_nobody_can_prove_anything(
    autojump_clock, world, method
) -> None:
    async def play(scan: Scan) -> None:
        assert await scan.ask(method) is None
        assert scan.core["silenced"] == 1
        assert (scan.core["transactions"], scan.core["timers"]) == (0, 0)

    await _scanned(world, play, users={}, admit="known")


@pytest.mark.parametrize("method", METHODS)
async def test_where_users_have_passwords_a_stranger_has_a_challenge_or_nothing(
    autojump_clock, world, method
) -> None:
    async def play(scan: Scan) -> None:
        expected = 401 if method in ADMITTED else None
        assert await scan.ask(method) == expected
        assert scan.core["silenced"] == (expected is None)

    await _scanned(world, play)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", "pw")])
async def test_a_wrong_password_and_an_unknown_user_hear_nothing(
    autojump_clock, world, method, user, password
) -> None:
    async def play(scan: Scan) -> None:
        value = await _credentials(scan, method, user, password)
        assert await scan.ask(method, cseq=2, headers=[("Authorization", value)]) is None
        assert not scan.messages

    await _scanned(world, play)


@pytest.mark.parametrize(("method", "status"), [("INVITE", 486), ("MESSAGE", 200), ("REFER", 403)])
async def test_who_proves_to_be_a_user_is_answered(autojump_clock, world, method, status) -> None:
    async def play(scan: Scan) -> None:
        value = await _credentials(scan, method, "alice", "pw")
        assert await scan.ask(method, cseq=2, headers=[("Authorization", value)]) == status
        assert scan.core["silenced"] == 0

    await _scanned(world, play)


async def _credentials(scan: Scan, method: str, user: str, password: str) -> str:
    body = SDP if method == "INVITE" else ""
    scan.far.request(method, URI, body=body)
    challenge = await scan.far.expect(401)
    digest = DigestClient(user, password, realms=["trivox"])
    asked = challenge.headers("WWW-Authenticate")
    value = digest.answer(asked, method, URI, body.encode(), "c")
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("method", "status"), [("OPTIONS", 200), ("REGISTER", 405), ("PARTY", 501), ("BYE", 481)]
)
async def test_a_trunk_is_answered_as_ever(autojump_clock, world, method, status) -> None:
    async def play(scan: Scan) -> None:
        assert await scan.ask(method) == status
        scan.far.request("INVITE", URI, call_id="bent", cseq=7, headers=[("CSeq", "8 BYE")])
        assert (await scan.far.expect(400)).header("Call-ID") == "bent"
        assert scan.core["silenced"] == 0

    await _scanned(world, play, source=TRUNK)


async def test_what_is_mangled_or_names_a_dialog_of_nobody_hears_nothing(
    autojump_clock, world
) -> None:
    async def play(scan: Scan) -> None:
        bent = [("CSeq", "8 BYE")], [("Via", "nonsense")], [("Content-Length", "x")]
        for number, headers in enumerate(bent):
            assert await scan.ask("INVITE", call_id=f"b{number}", headers=headers) is None
        for method in ("BYE", "INFO", "INVITE", "OPTIONS"):
            assert await scan.ask(method, call_id=f"d{method}", to_tag="guessed") is None

    await _scanned(world, play, users={}, admit="known")


async def test_a_server_that_takes_anybodys_calls_takes_them_and_tells_no_scanner(
    autojump_clock, world
) -> None:
    async def play(scan: Scan) -> None:
        assert await scan.ask("OPTIONS") is None
        assert await scan.ask("REGISTER") is None
        assert await scan.ask("INVITE", call_id="call") == 486

    await _scanned(world, play, accounts=[], users={})


async def test_the_requests_of_a_call_are_answered(autojump_clock, world) -> None:
    own = world()

    async def handler(call) -> None:
        await call.answer()
        await call.wait_ended()

    async with own.client(door=SILENT) as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, handler)
        with FarEnd(own.link.host(SCANNER[0]), SCANNER, HERE) as far:
            far.invite(URI)
            answer = await far.expect(200)
            far.acknowledge(answer)
            inside = {"to_tag": answer.to_tag, "call_id": "far-call"}
            far.request("OPTIONS", URI, cseq=2, **inside)
            assert (await far.expect(200)).header("CSeq") == "2 OPTIONS"
            far.request("NONSENSE", URI, cseq=3, **inside)
            assert (await far.expect(405)).header("CSeq") == "3 NONSENSE"
            far.hang_up(answer, cseq=4)
            assert (await far.expect(200)).header("CSeq") == "4 BYE"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("guesses", "status"), [(1, 200), (11, None)])
async def test_a_wrong_password_counts_once_however_often_its_request_is_repeated(
    autojump_clock, world, guesses, status
) -> None:
    """RFC 3261 §17.1.2.2: a request without an answer is sent eleven times, and kept as long."""

    async def play(scan: Scan) -> None:
        for guess in range(guesses):
            value = await _credentials(scan, "MESSAGE", "alice", f"wrong {guess}")
            given = {"call_id": f"g{guess}", "cseq": 2, "headers": [("Authorization", value)]}
            for _ in range(11 // guesses):
                scan.far.request("MESSAGE", URI, branch=f"z9hG4bKguess{guess}", **given)
                await trio.sleep(3)
        value = await _credentials(scan, "MESSAGE", "alice", "pw")
        given = {"call_id": "right", "cseq": 2, "headers": [("Authorization", value)]}
        assert await scan.ask("MESSAGE", **given) == status
        assert scan.core["silenced"] == guesses + (status is None)

    await _scanned(world, play)


async def test_the_first_notify_of_a_subscription_of_ours_is_answered(
    autojump_clock, world
) -> None:
    async with world().with_far_end(door=SILENT, admit="known") as (client, far):
        subscription = client.subscribe(far.uri, "message-summary")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscription.__aenter__)
            subscribe = await far.expect("SUBSCRIBE")
            far.respond(subscribe, 200, headers=[("Expires", "3600")])
        state = [("Event", "message-summary"), ("Subscription-State", "active;expires=3600")]
        dialog = {"call_id": subscribe.header("Call-ID"), "headers": state}
        ours = subscribe.dialog()[5]
        far.request("NOTIFY", ours, to_tag=subscribe.from_tag, **dialog)
        with trio.fail_after(30):
            assert (await far.expect(200)).header("CSeq") == "1 NOTIFY"
        assert (await anext(subscription)).state == "active"
        far.request("NOTIFY", ours, to_tag="guessed", **dialog)
        assert await far.silence(33)
        subscription.close()


async def test_by_default_a_server_says_that_it_is_one(autojump_clock, world) -> None:
    async def play(scan: Scan) -> None:
        assert await scan.ask("OPTIONS") == 200
        assert scan.core["silenced"] == 0

    await _scanned(world, play, door=DoorLimits())

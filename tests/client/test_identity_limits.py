"""Limits of one caller, whoever brings its calls: by password, by who vouches, by certificate (threat 9)."""

from __future__ import annotations

import pytest
import trio
from tests.net.certificates import Authority

from trivox import AccountConfig, CallFailedError, DoorLimits, TlsConfig, open_client
from trivox.sip.digest import DigestClient
from trivox.testing.far_end import SDP, FarEnd

HERE, STRANGER, TRUNK = ("10.0.0.1", 5060), ("10.0.0.66", 5060), ("10.0.0.9", 5060)
URI = "sip:us@10.0.0.1"
PASSWORDS = {"alice": "pw-a", "bob": "pw-b"}
CARRIER = AccountConfig(
    "sip:trunk@carrier.example", registrar="", proxy="sip:10.0.0.9", trusted=True
)


class Caller:
    """A far end that calls as a user, or as a carrier that vouches for one."""

    def __init__(self, far: FarEnd) -> None:
        self.far = far
        self.numbers = 0

    async def invite(self, *, user: str = "", vouched: str = "", from_user: str = "x"):
        """Call; return the final response."""
        self.numbers += 1
        common = {"call_id": f"call-{self.numbers}", "from_tag": f"{from_user}{self.numbers}"}
        asserted = [("P-Asserted-Identity", f"<{vouched}>")] if vouched else []
        self.far.request("INVITE", URI, body=SDP, headers=asserted, **common)
        answer = await self.final(common["call_id"])
        if answer.status != 401:
            return answer
        digest = DigestClient(user, PASSWORDS[user], realms=["trivox"])
        value = digest.answer(answer.headers("WWW-Authenticate"), "INVITE", URI, SDP.encode(), "c")
        given = [("Authorization", value)]
        self.far.request("INVITE", URI, body=SDP, cseq=2, headers=given, **common)
        return await self.final(common["call_id"], 2)

    async def final(self, call_id: str, cseq: int = 1):
        while True:
            message = await self.far.receive()
            mine = not message.is_request and message.header("Call-ID") == call_id
            if mine and message.status >= 200 and message.header("CSeq") == f"{cseq} INVITE":
                return message

    async def hang_up(self, answer) -> None:
        number = answer.key()[7]
        self.far.acknowledge(answer)
        self.far.request(
            "BYE",
            answer.dialog()[5],
            call_id=answer.header("Call-ID") or "",
            from_tag=answer.from_tag,
            to_tag=answer.to_tag,
            cseq=number + 1,
        )
        while (await self.far.expect(200)).header("CSeq") != f"{number + 1} BYE":
            pass


async def _answer(call) -> None:
    await call.answer()
    await call.wait_ended()


async def _played(world, play, source=STRANGER, **settings) -> None:
    own = world()
    async with own.client(retry_after=9, **settings) as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)
        with FarEnd(own.link.host(source[0]), source, HERE) as far:
            await play(client, Caller(far))
        nursery.cancel_scope.cancel()


async def test_a_user_has_so_many_calls_at_once_and_others_theirs(autojump_clock, world) -> None:
    async def play(client, caller) -> None:
        first = await caller.invite(user="alice")
        second = await caller.invite(user="alice")
        other = await caller.invite(user="bob")
        await caller.hang_up(first)
        again = await caller.invite(user="alice")

        assert [each.status for each in (first, second, other, again)] == [200, 480, 200, 200]
        assert second.header("Retry-After") == "9"
        assert client.statistics().refused_by_identity == 1
        assert len(client.calls) == 2

    await _played(world, play, users=PASSWORDS, door=DoorLimits(identity_calls=1))


async def test_a_user_has_so_many_calls_a_second(autojump_clock, world) -> None:
    async def play(client, caller) -> None:
        got = [await caller.invite(user="alice") for _ in range(3)]
        other = await caller.invite(user="bob")
        await trio.sleep(10)
        later = await caller.invite(user="alice")

        assert [each.status for each in (*got, other, later)] == [200, 480, 480, 200, 200]
        assert 1 <= int(got[1].header("Retry-After")) <= 10
        assert client.statistics().refused_by_identity == 2

    door = DoorLimits(identity_calls_per_second=0.1)
    await _played(world, play, users=PASSWORDS, door=door)


async def test_a_wrong_password_spends_nobodys_calls(autojump_clock, world) -> None:
    async def play(client, caller) -> None:
        digest = DigestClient("alice", "wrong", realms=["trivox"])
        for number in range(3):
            common = {"call_id": f"guess-{number}", "from_tag": f"g{number}"}
            caller.far.request("INVITE", URI, body=SDP, **common)
            asked = await caller.final(common["call_id"])
            value = digest.answer(asked.headers("WWW-Authenticate"), "INVITE", URI, b"", "c")
            given = [("Authorization", value)]
            caller.far.request("INVITE", URI, body=SDP, cseq=2, headers=given, **common)
            assert (await caller.final(common["call_id"], 2)).status == 403

        assert (await caller.invite(user="alice")).status == 200

    door = DoorLimits(identity_calls_per_second=0.01, identity_calls=1)
    await _played(world, play, users=PASSWORDS, door=door)


async def test_who_a_trusted_trunk_vouches_for_has_limits_and_the_trunk_none(
    autojump_clock, world
) -> None:
    """RFC 3325 §5."""

    async def play(client, caller) -> None:
        first = await caller.invite(vouched="sip:carol@carrier.example;user=phone")
        second = await caller.invite(vouched="sip:carol@carrier.example")
        others = [await caller.invite(vouched=f"tel:+1555{number}") for number in range(3)]
        unnamed = [await caller.invite() for _ in range(3)]

        assert (first.status, second.status) == (200, 480)
        assert [each.status for each in (*others, *unnamed)] == [200] * 6

    await _played(world, play, source=TRUNK, accounts=[CARRIER], door=DoorLimits(identity_calls=1))


@pytest.mark.parametrize("settings", [{}, {"accounts": [CARRIER]}], ids=["alone", "with a trunk"])
async def test_what_a_stranger_says_of_itself_is_no_identity(
    autojump_clock, world, settings
) -> None:
    async def play(client, caller) -> None:
        got = [await caller.invite(vouched="sip:carol@carrier.example") for _ in range(3)]

        assert [each.status for each in got] == [200] * 3
        assert client.statistics().refused_by_identity == 0

    await _played(world, play, door=DoorLimits(identity_calls=1), **settings)


async def test_a_call_that_is_refused_or_given_up_holds_no_place(autojump_clock, world) -> None:
    async def play(client, caller) -> None:
        for _ in range(4):
            assert (await caller.invite(user="alice")).status == 603
        assert len(client._arrivals.quota) == 0

    own = world()

    async def refuse(call) -> None:
        call.reject()

    async with own.client(users=PASSWORDS, door=DoorLimits(identity_calls=1)) as client:
        async with trio.open_nursery() as nursery:
            await nursery.start(client.serve, refuse)
            with FarEnd(own.link.host(STRANGER[0]), STRANGER, HERE) as far:
                await play(client, Caller(far))
            nursery.cancel_scope.cancel()


@pytest.mark.native
@pytest.mark.slow
async def test_the_name_in_a_certificate_is_an_identity(tmp_path, nursery) -> None:
    authority = Authority(tmp_path)
    server_tls = TlsConfig(
        certificate=authority.issue("server", "127.0.0.1"),
        ca=authority.root,
        verify_client="optional",
    )
    known_tls = TlsConfig(certificate=authority.issue("pbx", "pbx.example.net"), ca=authority.root)
    unknown_tls = TlsConfig(ca=authority.root)
    door = DoorLimits(identity_calls=1)
    async with (
        open_client(listen=["sips:127.0.0.1:0"], tls=server_tls, door=door) as server,
        open_client(tls=known_tls) as known,
        open_client(tls=unknown_tls) as unknown,
    ):
        await nursery.start(server.serve, _answer)
        uri = server.listening_on[0].replace("sips:", "sips:us@")
        async with known.dial(uri), unknown.dial(uri), unknown.dial(uri):
            with pytest.raises(CallFailedError) as refused:
                async with known.dial(uri):
                    pass

        assert refused.value.sip_code == 480
        assert server.statistics().refused_by_identity == 1
        nursery.cancel_scope.cancel()

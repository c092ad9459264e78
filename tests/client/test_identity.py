"""Who calls: asserted, preferred and withheld identities, and whom they are told to."""

from __future__ import annotations

import pytest
import trio

from trivox import AccountConfig, CallSettings
from trivox.errors import InvalidArgumentsError
from trivox.sip.party import Party
from trivox.testing.far_end import SDP, FarEnd

ASSERTED = ("P-Asserted-Identity", '"Ann Real" <sip:ann@carrier.example>')
STRANGER = "10.0.0.66"


def _trunk(**more) -> AccountConfig:
    """An account whose trunk is the far end at 10.0.0.9."""
    fields = {"registrar": "", "proxy": "sip:10.0.0.9", **more}
    return AccountConfig("sip:4400@pbx.example", display_name="Office", **fields)


async def _invite(own, config, settings=None, target="sip:bob@10.0.0.9"):
    """Return the INVITE that a call of the account sends."""
    host = target.rpartition("@")[2] if not config.proxy else "10.0.0.9"
    async with own.client(accounts=[config]) as client:
        with FarEnd(own.link.host(host), (host, 5060), ("10.0.0.1", 5060)) as far:
            call = client.create_call(target, settings)
            await call.start()
            invite = await far.expect("INVITE")
            far.respond(invite, 486)
            await call.wait_ended()
    return invite


async def _taken(own, config, headers, source="10.0.0.9"):
    """Return what a call that comes in with these headers shows."""

    async def handler(call) -> None:
        seen.append((call.remote_display_name.value, call.remote_sip_uri.value, call.origin))
        call.reject()

    seen = []
    async with own.client(accounts=[config]) as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, handler)
        with FarEnd(own.link.host(source), (source, 5060), ("10.0.0.1", 5060)) as far:
            far.request("INVITE", "sip:4400@pbx.example", headers=headers, body=SDP)
            await far.expect(603)
        nursery.cancel_scope.cancel()
    return seen[0]


async def test_a_trusted_trunk_is_told_who_calls_rfc_3325_section_9_1(
    autojump_clock, world
) -> None:
    """RFC 3325 §9.1."""
    invite = await _invite(world(), _trunk(trusted=True))

    assert invite.headers("P-Asserted-Identity") == ['"Office" <sip:4400@pbx.example>']
    assert invite.headers("P-Preferred-Identity") == []
    assert invite.header("From").startswith('"Office" <sip:4400@pbx.example>')


async def test_a_trusted_registrar_s_proxy_is_told_what_we_prefer_rfc_3325_section_9_2(
    autojump_clock, world
) -> None:
    invite = await _invite(world(), _trunk(trusted=True, registrar="sip:10.0.0.9"))

    assert invite.headers("P-Preferred-Identity") == ['"Office" <sip:4400@pbx.example>']
    assert invite.headers("P-Asserted-Identity") == []


async def test_a_withheld_caller_is_told_to_the_trusted_trunk_alone(autojump_clock, world) -> None:
    settings = CallSettings(
        caller_uri="sip:4417@pbx.example", caller_name="Ann", privacy=["id", "critical"]
    )
    invite = await _invite(world(), _trunk(trusted=True), settings)

    assert invite.header("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert invite.header("P-Asserted-Identity") == '"Ann" <sip:4417@pbx.example>'
    assert invite.header("Privacy") == "id;critical"
    assert "4417" not in invite.header("Contact")


async def test_an_untrusted_trunk_learns_nothing_of_a_withheld_caller(
    autojump_clock, world
) -> None:
    extra = {"P-Asserted-Identity": "<tel:+1>", "Privacy": "id", "X-Own": "1"}
    settings = CallSettings(privacy=["user"], extra_headers=extra)
    invite = await _invite(world(), _trunk(), settings)

    text = invite.raw.decode()
    assert "4400" not in text.replace("sip:4400@pbx.example SIP", "")
    assert "Office" not in text
    assert [name for name, _ in invite.items() if name.startswith(("P-", "Privacy"))] == []
    assert invite.header("X-Own") == "1"


async def test_a_trusted_account_tells_nothing_to_a_stranger_it_calls(
    autojump_clock, world
) -> None:
    config = AccountConfig("sip:4400@pbx.example", trusted=True, registrar="")
    invite = await _invite(world(), config, target=f"sip:x@{STRANGER}")

    assert [name for name, _ in invite.items() if name.startswith("P-")] == []


async def test_a_program_s_own_assertion_goes_to_a_trusted_trunk(autojump_clock, world) -> None:
    settings = CallSettings(extra_headers={"P-Asserted-Identity": "<tel:+15550100>"})
    invite = await _invite(world(), _trunk(trusted=True), settings)

    assert invite.headers("P-Asserted-Identity") == ["<tel:+15550100>"]


async def test_the_asserted_identity_of_a_trusted_trunk_is_shown(autojump_clock, world) -> None:
    headers = [ASSERTED, ("Privacy", "id"), ("P-Early-Media", "supported")]
    name, uri, origin = await _taken(world(), _trunk(trusted=True), headers)

    assert (name, uri) == ("Ann Real", "sip:ann@carrier.example")
    assert origin.asserted == (Party("sip:ann@carrier.example", "Ann Real"),)
    assert origin.privacy == {"id"}
    assert origin.early_media == {"supported"}


@pytest.mark.parametrize(
    ("is_trusted", "source"), [(False, "10.0.0.9"), (True, STRANGER), (False, STRANGER)]
)
async def test_an_assertion_of_anybody_else_is_passed_over(
    autojump_clock, world, is_trusted, source
) -> None:
    headers = [ASSERTED, ("Privacy", "id"), ("P-Early-Media", "supported")]
    name, uri, origin = await _taken(world(), _trunk(trusted=is_trusted), headers, source)

    assert (name, uri) == ("Far End", f"sip:far@{source}:5060")
    assert origin.asserted == ()
    assert origin.privacy == frozenset()
    assert origin.early_media == frozenset()


async def test_a_trusted_trunk_is_known_by_its_certificate_too(autojump_clock, world) -> None:
    async with world().client(accounts=[_trunk(trusted=True)]) as client:
        (account,) = client.accounts.values()
        elsewhere = (STRANGER, 5061)

        assert account.is_trusted_at(elsewhere, lambda: ("pbx.example",))
        assert not account.is_trusted_at(elsewhere, lambda: ("evil.example",))


async def test_diversion_history_and_alert_info_are_readable_from_anybody(
    autojump_clock, world
) -> None:
    headers = [
        ("Diversion", "<sip:boss@pbx.example>;reason=no-answer"),
        ("History-Info", "<sip:boss@pbx.example>;index=1,<sip:4400@pbx.example>;index=1.1;mp=1"),
        ("Alert-Info", "<urn:alert:source:internal>"),
    ]
    _, _, origin = await _taken(world(), _trunk(), headers)

    assert [diversion.reason for diversion in origin.diversions] == ["no-answer"]
    assert [(entry.index, entry.change) for entry in origin.history] == [("1", ""), ("1.1", "mp")]
    assert origin.alert_info[0].uri == "urn:alert:source:internal"


async def test_who_answered_is_whom_the_trusted_trunk_asserts_rfc_5876(
    autojump_clock, world
) -> None:
    """RFC 5876 §3."""
    for is_trusted, name in ((True, "Ann Real"), (False, None)):
        own = world()
        async with own.with_far_end(accounts=[_trunk(trusted=is_trusted)]) as (client, far):
            call = client.create_call("sip:bob@10.0.0.9")
            await call.start()
            far.respond(await far.expect("INVITE"), 200, headers=[ASSERTED], body=SDP)
            await call.wait_connected()

            assert call.remote_display_name.value == name
            assert bool(call.origin.asserted) is is_trusted
            call.hangup()
            far.respond(await far.expect("BYE"), 200)
            await call.wait_ended()


async def test_we_assert_ourselves_when_we_answer_a_trusted_trunk_rfc_3325_section_5(
    autojump_clock, world
) -> None:
    async def handler(call) -> None:
        await call.progress(180)
        await call.answer()
        await call.wait_ended()

    for is_trusted, asserted in ((True, ['"Office" <sip:4400@pbx.example>']), (False, [])):
        own = world()
        config = _trunk(trusted=is_trusted)
        async with own.client(accounts=[config]) as client, trio.open_nursery() as nursery:
            await nursery.start(client.serve, handler)
            with FarEnd(own.link.host("10.0.0.9"), ("10.0.0.9", 5060), ("10.0.0.1", 5060)) as far:
                far.invite("sip:4400@pbx.example")
                ringing = await far.expect(180)
                answer = await far.expect(200)
                far.acknowledge(answer)
                far.hang_up(answer)
                await far.expect(200)
            nursery.cancel_scope.cancel()

        assert ringing.headers("P-Asserted-Identity") == asserted
        assert answer.headers("P-Asserted-Identity") == asserted


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
@pytest.mark.parametrize(
    ("is_trusted", "expected"),
    [
        (True, ("Carol", "sip:carol@carrier.example")),
        (False, ("Dave", "sip:dave@elsewhere.example")),
    ],
)
async def test_who_is_connected_may_change_rfc_4916_and_rfc_5876(
    autojump_clock, world, method, is_trusted, expected
) -> None:
    async with world().with_far_end(accounts=[_trunk(trusted=is_trusted)]) as (client, far):
        call = client.create_call("sip:bob@10.0.0.9")
        await call.start()
        far.respond(await far.expect("INVITE"), 200, body=SDP)
        ack = await far.expect("ACK")
        await call.wait_connected()
        seen = []
        call.remote_display_name.watch(lambda new, old: seen.append(new))
        _send_changed(far, method, call, ack)
        answer = await far.expect(200)
        if method == "INVITE":
            far.request(
                "ACK", "sip:x@10.0.0.1", call_id=call.sip_call_id, to_tag=ack.key()[3], cseq=7
            )

        assert answer.status == 200
        assert (call.remote_display_name.value, call.remote_sip_uri.value) == expected
        assert seen == [expected[0]]
        call.hangup()
        far.respond(await far.expect("BYE"), 200)
        await call.wait_ended()


def _send_changed(far, method, call, ack) -> None:
    """Send a request in the dialog from somebody else than who answered."""
    lines = [
        ("Via", f"SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKchanged{method}"),
        ("From", '"Dave" <sip:dave@elsewhere.example>;tag=far-tag'),
        ("To", ack.header("From")),
        ("Call-ID", call.sip_call_id),
        ("CSeq", f"7 {method}"),
        ("Contact", f"<{far.uri}>"),
        ("P-Asserted-Identity", '"Carol" <sip:carol@carrier.example>'),
        ("Max-Forwards", "70"),
    ]
    body = SDP if method == "INVITE" else ""
    if body:
        lines.append(("Content-Type", "application/sdp"))
    far.send(f"{method} sip:4400@10.0.0.1 SIP/2.0", lines, body)


async def test_progress_can_say_how_to_ring_rfc_7462(autojump_clock, world) -> None:
    async def handler(call) -> None:
        ring = {"Alert-Info": "<urn:alert:service:call-waiting>", "Privacy": "id"}
        await call.progress(180, headers=ring)
        call.reject()

    own = world()
    async with own.client() as client, trio.open_nursery() as nursery:
        await nursery.start(client.serve, handler)
        with FarEnd(own.link.host("10.0.0.9"), ("10.0.0.9", 5060), ("10.0.0.1", 5060)) as far:
            far.invite("sip:4400@10.0.0.1")
            ringing = await far.expect(180)
            await far.expect(603)
        nursery.cancel_scope.cancel()

    assert ringing.header("Alert-Info") == "<urn:alert:service:call-waiting>"
    assert ringing.header("Privacy") is None


def test_an_unknown_kind_of_privacy_is_refused_at_once() -> None:
    with pytest.raises(InvalidArgumentsError, match="secret"):
        CallSettings(privacy=["secret"])


@pytest.mark.parametrize(
    ("privacy", "is_told"), [((), True), (("none",), True), (("id",), False), (("header",), False)]
)
async def test_who_hides_says_nothing_of_its_program_and_has_no_user_in_contact(
    autojump_clock, world, privacy, is_told
) -> None:
    """RFC 3323 §4.1.1.3, §4.1.1.4: what is not needed to be reached is left out."""
    invite = await _invite(world(), _trunk(), CallSettings(privacy=privacy))

    assert (invite.header("User-Agent") is not None) is is_told
    assert ("4400" in invite.header("Contact")) is is_told

"""Which transports are offered and answered, and what follows a refusal of one."""

from __future__ import annotations

import pytest

from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.call.transports import TransportChoice, choice_for_answer, choice_for_offer
from trivox.client.config import AccountConfig
from trivox.errors import CallFailedError, EngineError, InvalidArgumentsError
from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"
CRYPTO = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
PRINT = "a=fingerprint:sha-256 AA:BB\r\n"
ICE = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijklmn\r\n"
OFFERS = {
    "plain": SDP,
    "optional": SDP + CRYPTO,
    "sdes": SDP.replace("RTP/AVP", "RTP/SAVP") + CRYPTO,
    "dtls": SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVP") + PRINT,
    "ice": SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + PRINT + ICE,
}


def _profiles(*messages) -> list[str]:
    lines = (line for message in messages for line in message.body.decode().splitlines())
    return [line.split()[2] for line in lines if line.startswith("m=audio")]


@pytest.mark.parametrize(
    ("kind", "offer", "transport", "accepts"),
    [
        ("auto", "plain", "plain", {"sdes", "dtls"}),
        ("auto", "optional", "sdes", {"plain", "dtls"}),
        ("auto", "sdes", "sdes", {"plain", "dtls"}),
        ("auto", "dtls", "dtls", {"plain", "sdes"}),
        ("auto", "ice", "ice", set()),
        ("rtp", "optional", "plain", set()),
        ("rtp", "sdes", "plain", set()),
        ("srtp", "plain", "sdes", {"dtls"}),
        ("srtp", "dtls", "dtls", {"sdes"}),
        ("optional-srtp", "plain", "plain", {"sdes", "dtls"}),
        ("dtls", "ice", "dtls", set()),
        ("webrtc", "plain", "ice", set()),
    ],
)
def test_an_offer_is_answered_by_what_the_settings_take(kind, offer, transport, accepts) -> None:
    choice = choice_for_answer(kind, OFFERS[offer].encode())

    assert (choice.transport, set(choice.accepts)) == (transport, accepts)


def test_what_must_be_encrypted_is_never_offered_bare() -> None:
    for kind in ("webrtc", "dtls", "srtp"):
        choice = choice_for_offer(kind, is_open=True)
        assert "plain" not in (choice.transport, *choice.accepts)
    assert choice_for_offer("rtp", is_open=False) == TransportChoice("plain")


@pytest.mark.parametrize(
    "wrong",
    [
        {"media": "best"},
        {"offered_media": ()},
        {"offered_media": ("auto",)},
        {"offered_media": ("rtp", "morse")},
        {"media": "rtp", "offered_media": ("srtp",)},
    ],
)
def test_kinds_that_do_not_exist_are_refused(wrong) -> None:
    with pytest.raises(InvalidArgumentsError):
        CallSettings(**wrong)


async def test_a_refused_kind_is_followed_by_the_next(autojump_clock, world) -> None:
    settings = CallSettings(offered_media=("webrtc", "srtp", "rtp"))
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        invites = []
        for status in (488, 606):
            invites.append(await far.expect("INVITE"))
            far.respond(invites[-1], status)
            await far.expect("ACK")
        last = await far.expect("INVITE")
        far.respond(last, 200, body=SDP)
        await far.expect("ACK")
        await call.wait_connected()

        expected = ["UDP/TLS/RTP/SAVPF", "RTP/SAVP", "RTP/AVP"]
        assert _profiles(*invites, last) == expected
        assert len({message.header("Call-ID") for message in (*invites, last)}) == 1
        assert [message.header("CSeq") for message in (*invites, last)] == [
            "1 INVITE",
            "2 INVITE",
            "3 INVITE",
        ]
        call.hangup()
        far.respond(await far.expect("BYE"), 200)


async def test_the_last_refusal_fails_the_call(autojump_clock, world) -> None:
    settings = CallSettings(offered_media=("srtp", "rtp"))
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        for _ in range(2):
            far.respond(await far.expect("INVITE"), 488)
            await far.expect("ACK")
        with pytest.raises(CallFailedError):
            await call.wait_connected()

        assert call.state.value is CallState.FAILED
        assert await far.silence(5)


@pytest.mark.parametrize("settings", [CallSettings(), CallSettings(media="srtp")])
async def test_nothing_weaker_is_offered_unasked(autojump_clock, world, settings) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        far.respond(await far.expect("INVITE"), 488)
        await far.expect("ACK")
        with pytest.raises(CallFailedError):
            await call.wait_connected()

        assert await far.silence(5)


async def test_other_refusals_are_final(autojump_clock, world) -> None:
    settings = CallSettings(offered_media=("srtp", "rtp"))
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        far.respond(await far.expect("INVITE"), 486)
        await far.expect("ACK")
        with pytest.raises(CallFailedError):
            await call.wait_connected()

        assert await far.silence(5)


async def test_calls_follow_their_account(autojump_clock, world) -> None:
    config = AccountConfig(
        "sip:bot@10.0.0.1",
        registrar="",
        settings=CallSettings(offered_media=("srtp", "rtp")),
    )
    async with world().with_far_end() as (client, far):
        account = client.add_account(config)
        call = account.create_call(far.uri, CallSettings(mute_audio=True))
        await call.start()
        invite = await far.expect("INVITE")

        assert _profiles(invite) == ["RTP/SAVP"]
        far.respond(invite, 486)
        await far.expect("ACK")
        await call.wait_ended()


async def test_a_call_hung_up_between_two_offers_is_over(autojump_clock, world) -> None:
    settings = CallSettings(offered_media=("srtp", "rtp"))
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri, settings)
        await call.start()
        far.respond(await far.expect("INVITE"), 488)
        await far.expect("ACK")
        again = await far.expect("INVITE")
        far.respond(again, 180)
        call.hangup()
        cancel = await far.expect("CANCEL")
        far.respond(cancel, 200)
        far.respond(again, 487)
        await far.expect("ACK")

        assert (await call.wait_ended()).reason.name == "LOCAL_ENDED"


@pytest.mark.parametrize("name", ["sdes", "dtls"])
async def test_a_secure_offer_is_answered_by_default(autojump_clock, world, name) -> None:
    async with world().with_far_end() as (client, far):
        calls = client.incoming_calls()
        far.invite(OWN_URI, body=OFFERS[name])
        call = await calls.__anext__()
        await call.answer()
        answer = await far.expect(200)

        assert _profiles(answer) == [OFFERS[name].split("m=audio 4000 ")[1].split()[0]]
        far.acknowledge(answer)
        await call.wait_connected()
        call.hangup()
        far.respond(await far.expect("BYE"), 200)


async def test_a_refusal_stands_where_the_next_kind_has_no_port(
    autojump_clock, world, monkeypatch
) -> None:
    settings = CallSettings(offered_media=("srtp", "rtp"))
    made = world()
    async with made.with_far_end() as (client, far):

        def full(*_args: object, **_settings: object) -> None:
            raise EngineError("no port is left")

        monkeypatch.setattr(made.engine, "change_transport", full)
        call = client.create_call(far.uri, settings)
        await call.start()
        far.respond(await far.expect("INVITE"), 488)
        await far.expect("ACK")
        end = await call.wait_ended()

        assert (call.state.value, end.sip_code) == (CallState.FAILED, 488)

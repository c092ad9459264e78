"""Calls that are sent on, both ways (RFC 3261 §8.1.3.4, §21.3)."""

from __future__ import annotations

import pytest
import trio

from trivox.call.events import EndReason, Originator
from trivox.call.settings import CallSettings
from trivox.call.states import CallState
from trivox.errors import (
    CallWrongDirectionError,
    CallWrongStateError,
    InvalidArgumentsError,
    InvalidUriError,
)
from trivox.testing.far_end import SDP, FarEnd

OWN_URI = "sip:bot@10.0.0.1:5060"
NEAR, OTHER = ("10.0.0.1", 5060), ("10.0.0.8", 5060)
ELSEWHERE = "sip:other@10.0.0.8:5060"


async def _arrive(client, far):
    calls = client.incoming_calls()
    far.invite(OWN_URI)
    return await calls.__anext__()


async def test_redirect_names_the_targets_in_order(autojump_clock, world, recorder) -> None:
    async with world().with_far_end() as (client, far):
        call = await _arrive(client, far)
        names = recorder(call)
        await call.redirect(["sip:a@example.org", "sip:b@example.org;transport=tcp"])
        moved = await far.expect(302)
        end = await call.wait_ended()

        assert moved.reason == "Moved Temporarily"
        assert moved.headers("Contact") == [
            "<sip:a@example.org>;q=1.0",
            "<sip:b@example.org;transport=tcp>;q=0.9",
        ]
        assert (end.reason, end.sip_code) == (EndReason.LOCAL_ENDED, 302)
        assert names == ["Disconnected"]


@pytest.mark.parametrize(
    ("targets", "error"),
    [
        ([], InvalidArgumentsError),
        ("sip:a@example.org", InvalidArgumentsError),
        (["sip:a@example.org"] * 11, InvalidArgumentsError),
        (["tel:+1555"], InvalidUriError),
        (["sip:a@x>\r\nX: y"], InvalidArgumentsError),
    ],
)
async def test_wrong_targets_are_refused_first(autojump_clock, world, targets, error) -> None:
    async with world().with_far_end() as (client, far):
        call = await _arrive(client, far)
        with pytest.raises(error):
            await call.redirect(targets)

        assert call.state.value is CallState.CREATED
        call.reject()


async def test_only_a_call_that_waits_is_redirected(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        ours = client.create_call(far.uri)
        with pytest.raises(CallWrongDirectionError):
            await ours.redirect([ELSEWHERE])
        call = await _arrive(client, far)
        await call.answer()
        with pytest.raises(CallWrongStateError):
            await call.redirect([ELSEWHERE])
        call.hangup()


async def _start(client, far, redirects):
    call = client.create_call(far.uri, CallSettings(redirects=redirects))
    await call.start()
    return call, await far.expect("INVITE")


async def test_redirection_is_not_followed_without_a_yes(autojump_clock, world) -> None:
    """State table: CONNECTING (out), 3xx."""
    async with world().with_far_end() as (client, far):
        call, invite = await _start(client, far, "refuse")
        far.respond(invite, 302, headers=[("Contact", f"<{ELSEWHERE}>")])
        end = await call.wait_ended()

        assert call.state.value is CallState.FAILED
        assert end.sip_code == 302
        assert ELSEWHERE in end.headers.all("Contact")[-1]


async def test_redirection_is_followed_to_the_other_target(autojump_clock, world) -> None:
    here = world()
    async with here.with_far_end() as (client, far):
        with FarEnd(here.link.host(OTHER[0]), OTHER, NEAR) as other:
            call, invite = await _start(client, far, 1)
            _move(far, invite)
            again = await other.expect("INVITE")
            other.respond(again, 200, body=SDP)
            ack = await other.expect("ACK")
            await call.wait_connected()

            assert again.uri == ack.uri.replace("far@", "other@") == ELSEWHERE
            assert again.header("Call-ID") == invite.header("Call-ID")
            assert again.key()[7] == invite.key()[7] + 1
            assert again.header("To") == invite.header("To")
            assert call.destination == far.uri
            # To stays (RFC 3261 §8.1.3.4), and who answered is the one we were sent to.
            assert call.remote_sip_uri.value == ELSEWHERE
            call.hangup()
            await other.expect("BYE")


def _move(far, invite, *targets: str) -> None:
    contacts = ", ".join(f"<{target}>" for target in targets or (ELSEWHERE,))
    lines = [("Via", value) for value in invite.headers("Via")]
    lines += [(name, invite.header(name) or "") for name in ("From", "Call-ID", "CSeq")]
    lines += [("To", f"{invite.header('To')};tag=far-tag"), ("Contact", contacts)]
    far.send("SIP/2.0 302 Moved", lines)


async def test_a_target_that_cannot_be_asked_is_passed_over(autojump_clock, world) -> None:
    here = world()
    async with here.with_far_end() as (client, far):
        with FarEnd(here.link.host(OTHER[0]), OTHER, NEAR) as other:
            call, invite = await _start(client, far, 1)
            _move(far, invite, "sip:nobody@10.0.0.7;maddr=224.0.0.1", ELSEWHERE)
            again = await other.expect("INVITE")
            other.respond(again, 200, body=SDP)
            await other.expect("ACK")
            await call.wait_connected()

            assert again.key()[7] > invite.key()[7]
            call.hangup()
            await other.expect("BYE")


async def test_program_decides_and_sees_the_targets(autojump_clock, world) -> None:
    asked = []

    def judge(targets: tuple[str, ...]) -> bool:
        asked.append(targets)
        return False

    async with world().with_far_end() as (client, far):
        call, invite = await _start(client, far, judge)
        _move(far, invite, ELSEWHERE, "sip:third@10.0.0.7")
        end = await call.wait_ended()

        assert asked == [(ELSEWHERE, "sip:third@10.0.0.7")]
        assert end.sip_code == 302


async def test_judge_that_raises_says_no(autojump_clock, world, caplog) -> None:
    def judge(_targets: tuple[str, ...]) -> bool:
        raise ValueError("broken")

    async with world().with_far_end() as (client, far):
        call, invite = await _start(client, far, judge)
        _move(far, invite)
        end = await call.wait_ended()

        assert end.sip_code == 302
        assert "redirects raised" in caplog.text


async def test_judge_may_hang_up(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, invite = await _start(client, far, lambda _targets: call.hangup() is None)
        _move(far, invite)
        end = await call.wait_ended()

        assert end.reason is EndReason.LOCAL_ENDED
        assert client.calls == {}


async def test_call_is_given_up_before_the_other_target_is_asked(
    autojump_clock, world, monkeypatch
) -> None:
    here = world()
    async with here.with_far_end() as (client, far):
        with FarEnd(here.link.host(OTHER[0]), OTHER, NEAR) as other:
            call, invite = await _start(client, far, 1)
            resolve = call._host.route_on

            async def resolve_slowly(*given):
                await trio.sleep(3)
                return await resolve(*given)

            monkeypatch.setattr(call._host, "route_on", resolve_slowly)
            _move(far, invite)
            await far.expect("ACK")
            call.hangup()
            end = await call.wait_ended()

            assert end.reason is EndReason.LOCAL_ENDED
            assert await other.silence(5)


async def test_loop_of_redirections_is_cut(autojump_clock, world) -> None:
    here = world()
    async with here.with_far_end() as (client, far):
        with FarEnd(here.link.host(OTHER[0]), OTHER, NEAR) as other:
            call, invite = await _start(client, far, 5)
            _move(far, invite)
            again = await other.expect("INVITE")
            _move(other, again, far.uri, ELSEWHERE)
            end = await call.wait_ended()

            assert end.sip_code == 302
            await far.expect("ACK")
            assert await far.silence(5)


async def test_next_target_is_tried_when_one_refuses(autojump_clock, world) -> None:
    here = world()
    async with here.with_far_end() as (client, far):
        with FarEnd(here.link.host(OTHER[0]), OTHER, NEAR) as other:
            call, invite = await _start(client, far, 1)
            _move(far, invite, ELSEWHERE, "sip:second@10.0.0.8:5060")
            first = await other.expect("INVITE")
            other.respond(first, 486)
            second = await other.expect("INVITE")
            other.respond(second, 603)
            end = await call.wait_ended()

            assert second.uri == "sip:second@10.0.0.8:5060"
            assert second.key()[7] == first.key()[7] + 1
            assert end.sip_code == 603


async def test_target_nobody_finds_fails_the_call(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, invite = await _start(client, far, 1)
        _move(far, invite, "sip:nobody@nowhere.invalid")
        end = await call.wait_ended()

        assert call.state.value is CallState.FAILED
        assert end.sip_code == 503


async def test_call_is_given_up_before_the_other_target_answers(autojump_clock, world) -> None:
    here = world()
    async with here.with_far_end() as (client, far):
        with FarEnd(here.link.host(OTHER[0]), OTHER, NEAR) as other:
            call, invite = await _start(client, far, 1)
            _move(far, invite)
            await other.expect("INVITE")
            call.hangup()
            assert call.state.value is CallState.DISCONNECTING
            assert await other.silence(1) is False
            await trio.sleep(40)

            assert call.state.value is CallState.DISCONNECTED


@pytest.mark.parametrize("value", ["maybe", -1, None, 1.5])
def test_wrong_setting_is_refused(value) -> None:
    with pytest.raises(InvalidArgumentsError):
        CallSettings(redirects=value)


async def test_a_target_that_is_refused_leaves_nothing_behind(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call, invite = await _start(client, far, 1)
        _move(far, invite, "sip:x@10.0.0.7;maddr=224.0.0.1")
        end = await call.wait_ended()
        await trio.sleep(70)

        assert (end.sip_code, end.originator) == (503, Originator.SYSTEM)
        figures = client.statistics()
        assert (figures.calls, figures.timers, figures.tokens) == (0, 0, 0)
        assert figures.sip.core["dialogs"] == figures.sip.core["transactions"] == 0


async def test_a_call_without_an_offer_is_sent_on_without_one(autojump_clock, world) -> None:
    here = world()
    async with here.with_far_end() as (client, far):
        with FarEnd(here.link.host(OTHER[0]), OTHER, NEAR) as other:
            call = client.create_call(far.uri, CallSettings(delayed_offer=True, redirects=1))
            await call.start()
            _move(far, await far.expect("INVITE"))
            again = await other.expect("INVITE")
            other.respond(again, 200, body=SDP)
            ack = await other.expect("ACK")
            await call.wait_connected()

            assert again.body == b""
            assert ack.body.startswith(b"v=0")
            call.hangup()
            other.respond(await other.expect("BYE"), 200)

"""Telling the far end who it talks to now (RFC 4916), and changes before the answer (RFC 3311)."""

from __future__ import annotations

import pytest
import trio
from trio.testing import assert_checkpoints

from trivox.call.settings import CallSettings
from trivox.call.streams import LocalStream
from trivox.client.config import AccountConfig
from trivox.errors import (
    CallEndedError,
    CallWrongStateError,
    InvalidHeaderError,
    InvalidUriError,
    NotSupportedError,
    RequiredParameterError,
    StreamUpdateFailedError,
)
from trivox.media.sources import ToneSource
from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"
KNOWS = ("Supported", "from-change, 100rel")
UPDATES = ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE")
TRUNK = AccountConfig("sip:bot@10.0.0.9", registrar="", trusted=True)


async def _connected(client, far, *headers):
    """Let the far end call with these headers, and answer it."""
    calls = client.incoming_calls()
    far.request("INVITE", OWN_URI, body=SDP, headers=list(headers))
    call = await calls.__anext__()
    calls.close()
    await call.answer()
    far.acknowledge(await far.expect(200))
    await call.wait_connected()
    return call


async def test_another_client_sees_who_is_there_now(autojump_clock, pair) -> None:
    """RFC 4916 §4.4.2."""

    async def body(call, far) -> None:
        with assert_checkpoints():
            await call.change_identity("Carol", uri="sip:carol@example.org")
        await far.change_identity("Sales")

        assert far.remote_display_name.value == "Carol"
        assert far.remote_sip_uri.value == "sip:carol@example.org"
        assert call.remote_display_name.value == "Sales"
        await call.change_identity("")
        assert far.remote_display_name.value is None
        assert far.remote_sip_uri.value == "sip:carol@example.org"

    await pair.run(body)


@pytest.mark.parametrize(("more", "method"), [((UPDATES,), "UPDATE"), ((), "INVITE")])
async def test_it_goes_by_update_or_by_a_reinvite_that_changes_nothing(
    autojump_clock, world, more, method
) -> None:
    async with world().with_far_end() as (client, far):
        call = await _connected(client, far, KNOWS, *more)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.change_identity, "Carol")
            request = await far.expect(method)
            far.respond(request, 200, body=SDP if request.body else "")
        if method == "INVITE":
            await far.expect("ACK")

        assert request.header("From").startswith('"Carol" <')
        assert bool(request.body) is (method == "INVITE")
        assert request.header("P-Asserted-Identity") is None
        assert not call.is_on_hold.value
        call.hangup()
        assert (await far.expect("BYE")).header("From").startswith('"Carol" <')


async def test_a_refusal_is_told_and_takes_it_back(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = await _connected(client, far, KNOWS, UPDATES)

        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def _() -> None:
                with pytest.raises(StreamUpdateFailedError) as caught:
                    await call.change_identity("Carol")
                assert caught.value.sip_code == 403

            far.respond(await far.expect("UPDATE"), 403)

        call.hangup()
        assert "Carol" not in (await far.expect("BYE")).header("From")


async def test_a_far_end_that_knows_no_from_change_is_not_told(autojump_clock, world) -> None:
    """RFC 4916 §4.4.1: only who said `from-change` takes another From."""
    async with world().with_far_end() as (client, far):
        call = await _connected(client, far, UPDATES)

        with pytest.raises(NotSupportedError, match="from-change"):
            await call.change_identity("Carol")

        assert await far.silence(5)
        call.hangup()


async def test_a_trusted_trunk_is_told_by_its_asserted_identity(autojump_clock, world) -> None:
    """RFC 3325 §9.1, in an UPDATE as in an INVITE; From stays for who knows no other."""
    async with world().with_far_end(accounts=[TRUNK]) as (client, far):
        call = await _connected(client, far, UPDATES)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: call.change_identity("Carol", uri="sip:carol@example.org"))
            update = await far.expect("UPDATE")
            far.respond(update, 200)

        assert update.header("P-Asserted-Identity") == '"Carol" <sip:carol@example.org>'
        assert "carol" not in update.header("From").lower()
        call.hangup()


async def test_who_withholds_its_identity_goes_on_to(autojump_clock, world) -> None:
    """RFC 3323 §4.1: what the call was placed to hide is not told later."""
    settings = CallSettings(privacy=("id",))
    async with world().with_far_end(call_settings=settings) as (client, far):
        call = await _connected(client, far, KNOWS, UPDATES)

        with pytest.raises(NotSupportedError, match="not to know"):
            await call.change_identity("Carol")
        call.hangup()


@pytest.mark.parametrize(
    ("name", "uri", "error"),
    [
        (None, None, RequiredParameterError),
        ("a\r\nX: y", None, InvalidHeaderError),
        ("a", "nobody", InvalidUriError),
    ],
)
async def test_wrong_names_are_refused_first(autojump_clock, pair, name, uri, error) -> None:
    async def body(call, far) -> None:
        with pytest.raises(error):
            await call.change_identity(name, uri=uri)

    await pair.run(body)


async def test_it_needs_a_dialog(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri)
        with pytest.raises(CallWrongStateError, match="early dialog"):
            await call.change_identity("Carol")
        call.hangup()
        with pytest.raises(CallEndedError):
            await call.change_identity("Carol")


# Before the answer


async def _agreed_early(client, far):
    """Let the far end call, and agree on media by a reliable 183."""
    calls = client.incoming_calls()
    far.request("INVITE", OWN_URI, body=SDP, headers=[KNOWS, UPDATES])
    call = await calls.__anext__()
    calls.close()
    await call.progress(183, reliable=True)
    early = await far.expect(183)
    rack = f"{early.header('RSeq')} 1 INVITE"
    far.request("PRACK", OWN_URI, to_tag=early.key()[4], cseq=2, headers=[("RAck", rack)])
    await far.expect(200)
    return call


async def test_an_early_dialog_is_told_by_update(autojump_clock, world) -> None:
    """RFC 4916 §4.4.1."""
    async with world().with_far_end() as (client, far):
        call = await _agreed_early(client, far)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.change_identity, "Carol")
            update = await far.expect("UPDATE")
            far.respond(update, 200)

        assert update.header("From").startswith('"Carol" <')
        assert update.body == b""
        call.reject()


async def test_what_is_sent_changes_before_the_answer(autojump_clock, world) -> None:
    """Agreed early, a change of media is an UPDATE with an offer; the 200 repeats nothing."""
    async with world().with_far_end() as (client, far):
        call = await _agreed_early(client, far)
        (own,) = call.local_streams.value

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.remove_stream, own)
            silenced = await far.expect("UPDATE")
            far.respond(silenced, 200, body=SDP.replace("sendrecv", "sendonly"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call.add_stream, LocalStream("tone", ToneSource()))
            heard = await far.expect("UPDATE")
            far.respond(heard, 200, body=SDP)
        await call.answer()
        ok = await far.expect(200)
        far.acknowledge(ok)
        await call.wait_connected()

        assert b"a=recvonly" in silenced.body
        assert b"a=sendrecv" in heard.body
        assert ok.body == b""
        assert await far.silence(3)
        call.hangup()

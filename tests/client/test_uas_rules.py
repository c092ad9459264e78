"""What a user agent server does with a request before anybody sees it (RFC 3261 §8.2)."""

from __future__ import annotations

import pytest
import trio

from trivox.testing.far_end import SDP

OWN_URI = "sip:bot@10.0.0.1:5060"
KNOWN = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "MESSAGE")


def _request(line: str = f"INVITE {OWN_URI} SIP/2.0", *, body: str = SDP, **changed: str) -> bytes:
    method = line.split(" ", 1)[0]
    values = {
        "Via": "SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKrule",
        "Max-Forwards": "70",
        "From": "<sip:far@10.0.0.9>;tag=far",
        "To": f"<{OWN_URI}>",
        "Call-ID": "rule",
        "CSeq": f"1 {method}",
        "Contact": "<sip:far@10.0.0.9:5060>",
        "Content-Type": "application/sdp" if body else "",
        "Content-Length": str(len(body)),
    }
    values.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [line, *(f"{name}: {value}" for name, value in values.items() if value)]
    return "\r\n".join([*lines, "", body]).encode()


TAGGED = f"<{OWN_URI}>;tag=nobody"
RULES = [
    # §8.2.1: the method
    ("a method nobody knows", _request(f"DANCE {OWN_URI} SIP/2.0", body=""), {405, 501}, "Allow"),
    ("a method not served", _request(f"PUBLISH {OWN_URI} SIP/2.0", body=""), {405}, "Allow"),
    ("REGISTER at an agent", _request("REGISTER sip:10.0.0.1 SIP/2.0", body=""), {405}, "Allow"),
    # §8.2.2.1: To and Request-URI
    ("an unknown scheme", _request("INVITE nobody:knows SIP/2.0"), {416}, ""),
    ("an URI without end", _request(f"INVITE sip:{'a' * 9000}@10.0.0.1 SIP/2.0"), {414}, ""),
    ("headers in the URI", _request("INVITE sip:bot@10.0.0.1?X=y SIP/2.0"), {400}, ""),
    # §8.2.2.2: merged requests are in a test of their own below
    # §8.2.2.3: Require
    ("an extension", _request(Require="nothing"), {420}, "Unsupported"),
    ("extensions, folded", _request(Require="nothing,\r\n other"), {420}, "Unsupported"),
    # §8.2.3: the body
    ("a type", _request(body="<x/>", Content_Type="text/xml"), {415}, "Accept"),
    ("an encoding", _request(Content_Encoding="gzip"), {415}, "Accept-Encoding"),
    ("an answer nobody can give", _request(Accept="text/html"), {406}, "Accept"),
    # §12.2.2: a dialog that is none
    ("BYE in no dialog", _request(f"BYE {OWN_URI} SIP/2.0", To=TAGGED, body=""), {481}, ""),
    ("re-INVITE in no dialog", _request(To=TAGGED), {481}, ""),
    ("INFO in no dialog", _request(f"INFO {OWN_URI} SIP/2.0", To=TAGGED, body=""), {481}, ""),
    ("CANCEL of nothing", _request(f"CANCEL {OWN_URI} SIP/2.0", body=""), {481}, ""),
    # §21.5.6, §8.1.1, §20: what is not SIP/2.0
    ("a version", _request(f"INVITE {OWN_URI} SIP/7.0"), {505}, ""),
    ("no From", _request(From=""), {400}, ""),
    ("no Call-ID", _request(Call_ID=""), {400}, ""),
    ("no CSeq", _request(CSeq=""), {400}, ""),
    ("another method in CSeq", _request(CSeq="1 OPTIONS"), {400}, ""),
    ("a CSeq too high", _request(CSeq="2147483648 INVITE"), {400}, ""),
    ("two Call-IDs", _request(i="other"), {400}, ""),
    ("a body cut short", _request(Content_Length="9999"), {400}, ""),
    ("Max-Forwards of letters", _request(Max_Forwards="many"), {400}, ""),
]


async def _never(call) -> None:
    raise AssertionError("no handler sees a request that breaks a rule")


@pytest.mark.parametrize(
    ("data", "statuses", "header"), [r[1:] for r in RULES], ids=[r[0] for r in RULES]
)
async def test_a_request_that_breaks_a_rule_gets_its_answer(
    autojump_clock, world, data, statuses, header
) -> None:
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _never)

        far._socket.send(data, far.peer)
        response = await far.receive()

        assert response.status in statuses
        assert not header or response.header(header) is not None
        assert len(client.calls) == 0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("hops", ["0", "1", ""])
async def test_an_agent_does_not_count_hops(autojump_clock, world, hops) -> None:
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)

        far._socket.send(_request(Max_Forwards=hops), far.peer)

        assert (await far.expect(200)).header("Call-ID") == "rule"
        nursery.cancel_scope.cancel()


async def test_a_copy_that_came_another_way_is_a_loop(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _answer)

        far._socket.send(_request(), far.peer)
        far._socket.send(_request(Via="SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKother"), far.peer)
        statuses = {(await far.receive()).status, (await far.receive()).status}

        assert statuses == {200, 482}
        assert len(client.calls) == 1
        nursery.cancel_scope.cancel()


async def test_extensions_in_a_cancel_are_not_judged(autojump_clock, world) -> None:
    async with world().with_far_end() as (client, far), trio.open_nursery() as nursery:
        await nursery.start(client.serve, _ring)
        far._socket.send(_request(), far.peer)
        await far.expect(180)

        far._socket.send(
            _request(f"CANCEL {OWN_URI} SIP/2.0", body="", Require="nothing"), far.peer
        )

        assert (await far.expect(200)).key()[0] == "CANCEL"
        assert (await far.expect(487)).key()[0] == "INVITE"
        nursery.cancel_scope.cancel()


async def _answer(call) -> None:
    await call.answer()
    await trio.sleep(1)


async def _ring(call) -> None:
    await call.progress(180)
    await call.wait_ended()

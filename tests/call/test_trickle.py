"""ICE candidates that travel by INFO, apart from the descriptions (RFC 8840)."""

from __future__ import annotations

import pytest
import trio

import trivox
from trivox.media.native_engine import driven_media
from trivox.testing.far_end import SDP

SILENT = (trivox.IceServer("stun:10.0.0.66"),)
RELAYS = (trivox.IceServer("turn:10.0.0.66", "ann", "secret"),)
FRAGMENT = "application/trickle-ice-sdpfrag"
TAKES = ("Recv-Info", "trickle-ice")
RELIABLY = ("Supported", "100rel")
ICE_OFFER = (
    SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF")
    + "a=mid:0\r\na=ice-options:trickle\r\na=ice-ufrag:abcd\r\n"
    + "a=ice-pwd:0123456789abcdefghijklmn\r\na=setup:actpass\r\na=fingerprint:sha-256 "
    + ":".join(["AA"] * 32)
    + "\r\n"
)


def candidates(*ports: int, ufrag: str = "abcd", more: str = "") -> str:
    lines = "".join(f"a=candidate:1 1 udp 1 10.0.0.9 {port} typ host\r\n" for port in ports)
    credentials = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:0123456789abcdefghijklmn\r\n"
    return f"{credentials}m=audio 9 RTP/AVP 0\r\na=mid:0\r\n{lines}{more}"


class Side:
    """A far end in a call that it has begun."""

    def __init__(self, client, far, call, uri) -> None:
        self.client, self.far, self.call, self.uri = client, far, call, uri
        self.tag, self.cseq = "", 1

    def inform(self, body: str, package="trickle-ice", content_type=FRAGMENT) -> None:
        self.cseq += 1
        headers = [("Info-Package", package)] if package else []
        self.far.request(
            "INFO",
            self.uri,
            to_tag=self.tag,
            cseq=self.cseq,
            headers=headers,
            body=body,
            content_type=content_type,
        )

    async def ring(self) -> None:
        await self.call.progress(180)
        self.tag = (await self.far.expect(180)).key()[4]

    async def connect(self):
        await self.call.answer()
        ok = await self.far.expect(200)
        self.tag = ok.key()[4]
        self.far.acknowledge(ok)
        return ok


async def called(client, far, *headers, offer: str = ICE_OFFER) -> Side:
    """Let a far end call us."""
    uri = "sip:us@10.0.0.1:5060"
    calls = client.incoming_calls()
    far.request("INVITE", uri, body=offer, headers=[*headers], call_id="far-call")
    call = await calls.__anext__()
    calls.close()
    return Side(client, far, call, uri)


async def repeated(far) -> float:
    """Return how long the next 183 took to come."""
    before = trio.current_time()
    await far.expect(183)
    return trio.current_time() - before


def native(world, **settings):
    made = world()
    made.media = driven_media(seed=b"trickle", now=trio.current_time())
    return made.with_far_end(**settings)


@pytest.mark.parametrize(("media", "taken"), [("webrtc", ["trickle-ice"]), ("rtp", [])])
async def test_an_invite_by_ice_takes_the_package(autojump_clock, world, media, taken):
    """RFC 8840 §4.1.1: support is told by Supported, and by Recv-Info."""
    async with world().with_far_end() as (client, far):
        call = client.create_call(far.uri, trivox.CallSettings(media=media))
        await call.start()
        invite = await far.expect("INVITE")

        assert "trickle-ice" in invite.values("Supported")
        assert invite.values("Recv-Info") == taken
        call.hangup()
        far.respond(invite, 487)


async def test_who_answers_takes_the_package_too(autojump_clock, world):
    async with world().with_far_end() as (client, far):
        side = await called(client, far)
        await side.call.progress(180)
        assert (await far.expect(180)).values("Recv-Info") == ["trickle-ice"]

        assert (await side.connect()).values("Recv-Info") == ["trickle-ice"]


async def test_an_answer_does_not_wait_for_servers(autojump_clock, world):
    """RFC 8840 §4.1.3: what servers say later goes by INFO, once the dialog is known."""
    async with native(world, ice_servers=SILENT) as (client, far):
        side = await called(client, far, TAKES)
        before = trio.current_time()
        ok = await side.connect()
        assert trio.current_time() - before < 0.1
        assert b"typ host" in ok.body
        assert b"a=end-of-candidates" not in ok.body
        info = await far.expect("INFO")

        assert trio.current_time() - before == pytest.approx(5.0, abs=0.1)
        assert info.header("Info-Package") == "trickle-ice"
        assert info.header("Content-Type") == FRAGMENT
        assert info.header("Content-Disposition") == "Info-Package"
        text = info.body.decode()
        assert text.startswith("m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ice-ufrag:")
        assert text.endswith(" typ host\r\na=end-of-candidates\r\n")
        far.respond(info, 200)
        assert await far.silence(5.0)


@pytest.mark.parametrize(
    ("headers", "offer"),
    [((), ICE_OFFER), ((TAKES,), ICE_OFFER.replace("a=ice-options:trickle\r\n", ""))],
)
async def test_who_does_not_take_fragments_gets_all_in_the_answer(
    autojump_clock, world, headers, offer
):
    """RFC 8838 §3: without the far end's word for it there is no trickling."""
    async with native(world, ice_servers=SILENT) as (client, far):
        side = await called(client, far, *headers, offer=offer)
        before = trio.current_time()
        ok = await side.connect()

        assert trio.current_time() - before == pytest.approx(5.0, abs=0.1)
        assert b"a=end-of-candidates" in ok.body
        assert await far.silence(8.0)


async def test_relays_only_are_waited_for(autojump_clock, world):
    settings = trivox.CallSettings(relay_only=True)
    async with world().with_far_end(ice_servers=RELAYS) as (client, far):
        side = await called(client, far, TAKES)
        await side.call.answer(settings)
        far.acknowledge(await far.expect(200))

        assert await far.silence(8.0)


async def test_one_fragment_is_out_at_a_time(autojump_clock, world):
    """RFC 8840 §4.4: each has all candidates, and none overtakes another."""
    made = world()
    async with made.with_far_end(ice_servers=SILENT) as (client, far):
        side = await called(client, far, TAKES)
        await side.connect()
        first = await far.expect("INFO")
        side.call._leg.sessions.trickle(side.call._leg.session, is_gathering=True)
        made.engine._sessions[side.call._leg.session].told_end = ""
        side.call._leg.trickling.note_candidates()
        side.call._leg.trickling.note_candidates()
        assert await far.silence(0.2)
        far.respond(first, 200)
        second = await far.expect("INFO")

        assert b"a=end-of-candidates" in first.body
        assert b"a=end-of-candidates" not in second.body
        far.respond(second, 469)
        side.call._leg.trickling.note_candidates()
        assert await far.silence(8.0)


async def test_an_early_dialog_carries_fragments_once_it_is_acknowledged(autojump_clock, world):
    """RFC 8840 §4.3.1: after the PRACK of a reliable response, or an INFO of the far end."""
    async with world().with_far_end(ice_servers=SILENT) as (client, far):
        side = await called(client, far, TAKES, RELIABLY)
        await side.call.progress(183)
        progress = await far.expect(183)
        assert await far.silence(0.3)
        side.tag, side.cseq = progress.key()[4], 2
        rack = ("RAck", f"{progress.header('RSeq')} 1 INVITE")
        far.request("PRACK", side.uri, to_tag=side.tag, cseq=2, headers=[rack])

        far.respond(await far.expect("INFO"), 200)


async def test_an_early_dialog_is_known_by_the_far_ends_own_fragment(autojump_clock, world):
    """RFC 8840 §4.3.2: an INFO shows that the unreliable response has arrived."""
    async with world().with_far_end(ice_servers=SILENT) as (client, far):
        side = await called(client, far, TAKES)
        await side.call.progress(183)
        side.tag = (await far.expect(183)).key()[4]
        assert [await repeated(far) for _ in range(3)] == pytest.approx([0.5, 1.0, 2.0], abs=0.01)
        side.inform(candidates(4000))

        assert (await far.receive()).status == 200
        far.respond(await far.expect("INFO"), 200)
        assert await far.silence(8.0)


async def test_an_answer_is_repeated_until_64_t1(autojump_clock, world):
    """RFC 8840 §4.3.2, by the timers of RFC 3262 §3: a far end that never asks gets seven."""
    async with world().with_far_end(ice_servers=SILENT) as (client, far):
        side = await called(client, far, TAKES)
        await side.call.progress(183)
        await far.expect(183)
        pauses = [await repeated(far) for _ in range(6)]

        assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 16.0], abs=0.01)
        assert await far.silence(20.0)


async def test_an_answer_is_not_repeated_after_the_2xx(autojump_clock, world):
    async with world().with_far_end(ice_servers=SILENT) as (client, far):
        side = await called(client, far, TAKES)
        await side.call.progress(183)
        await side.connect()
        far.respond(await far.expect("INFO"), 200)

        assert await far.silence(5.0)


@pytest.mark.parametrize(
    ("headers", "offer"),
    [((), ICE_OFFER), ((TAKES,), ICE_OFFER.replace("a=ice-options:trickle\r\n", ""))],
)
async def test_who_does_not_trickle_gets_an_answer_once(autojump_clock, world, headers, offer):
    async with world().with_far_end() as (client, far):
        side = await called(client, far, *headers, offer=offer)
        await side.call.progress(183)
        await far.expect(183)

        assert await far.silence(5.0)


async def test_fragments_wait_for_the_description_they_belong_to(autojump_clock, world):
    """RFC 8838 §11: nothing is lost of what came while the program had not answered."""
    made = world()
    async with made.with_far_end() as (client, far):
        side = await called(client, far, TAKES)
        await side.ring()
        side.inform(candidates(4000))
        await far.expect(200)
        side.inform(candidates(4000, 4002, more="a=end-of-candidates\r\n"))
        await far.expect(200)
        await side.connect()
        side.inform(candidates(4000, 4002, 4004))
        await far.expect(200)
        taken = made.engine._sessions[side.call._leg.session].fragments

        assert [text.count("a=candidate:") for text in taken] == [1, 2, 3]
        assert side.call.statistics().connection.refused_candidates == 0


async def test_a_flood_before_the_answer_is_bounded_and_counted(autojump_clock, world):
    made = world()
    async with made.with_far_end() as (client, far):
        side = await called(client, far, TAKES)
        await side.ring()
        for port in range(4000, 4040):
            side.inform(candidates(port))
            await far.expect(200)
        await side.connect()
        await side.call.wait_connected()

        assert len(made.engine._sessions[side.call._leg.session].fragments) == 16
        assert side.call.statistics().connection.refused_candidates == 24


async def test_candidates_of_an_old_generation_are_dropped_and_counted(autojump_clock, world):
    """RFC 8840 §4.4: the user name fragment says which generation they belong to."""
    async with native(world) as (client, far):
        side = await called(client, far, TAKES)
        await side.connect()
        again = ICE_OFFER.replace("a=ice-ufrag:abcd", "a=ice-ufrag:efgh")
        side.cseq = 2
        far.request("INVITE", side.uri, to_tag=side.tag, cseq=2, body=again)
        ok = await far.expect(200)
        far.acknowledge(ok)
        side.inform(candidates(4000, 4002))
        await far.expect(200)
        side.inform(candidates(4000, 4002, ufrag="efgh"))
        await far.expect(200)

        assert side.call.statistics().connection.refused_candidates == 2


async def test_what_is_no_fragment_is_refused(autojump_clock, world):
    async with world().with_far_end() as (client, far):
        side = await called(client, far, TAKES)
        await side.connect()
        side.inform("m=audio 9 RTP/AVP 0\r\n")
        refused = await far.expect(400)
        side.inform(candidates(4000), content_type="application/sdp")
        unknown = await far.expect(415)

        assert refused.header("CSeq") == "2 INFO"
        assert unknown.header("Accept") == FRAGMENT
        assert side.call.statistics().connection.refused_candidates == 1


@pytest.mark.parametrize(
    ("offer", "package", "taken"), [(ICE_OFFER, "other", "trickle-ice"), (SDP, "trickle-ice", "")]
)
async def test_a_package_that_nobody_takes_is_refused(autojump_clock, world, offer, package, taken):
    """RFC 6086 §4.2.2: 469 says which packages are taken."""
    async with world().with_far_end() as (client, far):
        side = await called(client, far, offer=offer)
        heard = []
        side.call.on(trivox.InfoReceived, heard.append)
        await side.connect()
        side.inform("x", package=package, content_type="text/plain")
        refusal = await far.expect(469)

        assert refusal.reason == "Bad Info Package"
        assert refusal.header("Recv-Info") == taken
        assert not heard


async def test_a_package_that_the_program_takes_is_its_own(autojump_clock, world):
    """RFC 6086 §5.2: Recv-Info among the headers of a call names what its program takes."""
    settings = trivox.CallSettings(extra_headers={"Recv-Info": "other"})
    async with world().with_far_end() as (client, far):
        side = await called(client, far)
        heard = []
        side.call.on(trivox.InfoReceived, heard.append)
        await side.call.answer(settings)
        ok = await far.expect(200)
        side.tag = ok.key()[4]
        far.acknowledge(ok)
        side.inform("x", package="other;version=1", content_type="text/plain")
        await far.expect(200)
        side.inform("y", package="", content_type="text/plain")
        await far.expect(200)

        assert ok.values("Recv-Info") == ["trickle-ice", "other"]
        assert [event.body for event in heard] == ["x", "y"]

"""Candidates apart from descriptions, on every engine there is."""

from __future__ import annotations

import pytest
from tests.media.pairs import connect_pair

from trivox.errors import MediaNegotiationError

from .conftest import HOSTS, KINDS

over_ice = pytest.mark.parametrize(
    "made", [kind for kind in KINDS if kind.endswith("ice")], indirect=True
)


def fragment_of(sdp: str) -> str:
    """What a far end would send of the generation that its description names."""
    ufrag = next(line for line in sdp.splitlines() if line.startswith("a=ice-ufrag:"))
    return f"{ufrag}\r\na=ice-pwd:{'p' * 24}\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"


@over_ice
async def test_a_fragment_is_known_by_its_generation(made) -> None:
    sessions = made.media.sessions
    caller, callee = await connect_pair(made.media, made.transport, HOSTS)
    before = sessions.create_offer(callee.session)
    sessions.set_remote(caller.session, before, "offer", "")
    sessions.set_remote(callee.session, sessions.create_answer(caller.session), "answer", "")
    assert sessions.take_fragment_untrusted(caller.session, fragment_of(before)) == "taken"
    offer = sessions.create_offer(callee.session, ice_restart=True)
    unknown = sessions.take_fragment_untrusted(caller.session, fragment_of(offer))
    sessions.set_remote(caller.session, offer, "offer", "")
    sessions.create_answer(caller.session)

    assert unknown == "unknown"
    assert sessions.take_fragment_untrusted(caller.session, fragment_of(offer)) == "taken"
    assert sessions.take_fragment_untrusted(caller.session, fragment_of(before)) == "old"


async def test_what_has_no_credentials_is_no_fragment(made) -> None:
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)

    with pytest.raises(MediaNegotiationError):
        made.media.sessions.take_fragment_untrusted(caller.session, "m=audio 9 RTP/AVP 0\r\n")


@over_ice
async def test_a_generation_ends_once(made) -> None:
    sessions = made.media.sessions
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)
    assert sessions.fragment(caller.session) == ""

    sessions.trickle(caller.session, is_gathering=True)
    offer = sessions.create_offer(caller.session, ice_restart=True)
    assert "a=end-of-candidates" not in offer
    begun = sessions.fragment(caller.session)
    assert "a=candidate:" in begun
    assert "a=end-of-candidates" not in begun
    sessions.trickle(caller.session, is_gathering=False)
    ended = sessions.fragment(caller.session)

    assert ended.startswith(begun)
    assert ended.endswith("a=end-of-candidates\r\n")
    assert sessions.fragment(caller.session) == ""


async def test_media_without_ice_have_no_candidates(made) -> None:
    sessions = made.media.sessions
    caller, _ = await connect_pair(made.media, made.transport, HOSTS)

    assert sessions.fragment(caller.session) == ""

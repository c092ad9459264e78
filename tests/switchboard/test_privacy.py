"""What the switchboard keeps to itself for who asks for privacy (RFC 3323 §5, RFC 3325)."""

from __future__ import annotations

import pytest

from trivox.errors import InvalidArgumentsError
from trivox.switchboard import open_switchboard

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
TALK = (
    "s: the merger",
    "Call-Info: <http://a.example/me.jpg>",
    "Organization: Alice and Sons",
    "User-Agent: alicephone/1",
    "Reply-To: <sip:alice@board.test>",
    "In-Reply-To: yesterday",
)
NAMES = ("Subject", "Call-Info", "Organization", "User-Agent", "Reply-To", "In-Reply-To")
BOB = ("10.0.0.3/32",)


async def forwarded(board, phones, headers=(), *, party=None, **settings):
    """Return alice's INVITE as bob gets it."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    if party:
        alice.party = party
    async with board(**settings):
        await bob.register()
        await alice.invite("bob", headers=headers)
        return await bob.receive("INVITE")


def told(invite) -> list[str]:
    return [line for name in NAMES for line in invite.headers(name)]


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ("id", []),
        ("ID ; critical", []),
        ("id;header;session", ["header;session"]),
        ("header, session", ["header;session"]),
        ("history", ["history"]),
        ("id;something-new", ["something-new"]),
        ("none", ["none"]),
        ("none;critical", ["none;critical"]),
        ("", [""]),
    ],
)
async def test_what_is_done_is_taken_out_and_the_rest_is_for_others(
    autojump_clock, board, phones, asked, left
) -> None:
    """RFC 3323 §5; RFC 3325 §9.3: "id" is done, as nobody is told anything."""
    invite = await forwarded(board, phones, (f"Privacy: {asked}", "P-Asserted-Identity: <sip:x@y>"))

    assert invite.headers("Privacy") == left
    assert invite.headers("P-Asserted-Identity") == []


@pytest.mark.parametrize("party", [ANONYMOUS, "<sip:x@anonymous.invalid>"])
async def test_who_is_nobody_in_from_is_made_nobody_in_all_that_is_for_information(
    autojump_clock, board, phones, party
) -> None:
    """RFC 3323 §5.3."""
    wish = ("Privacy: user;critical", "Proxy-Require: privacy")
    invite = await forwarded(board, phones, (*wish, *TALK, "X-Own: kept"), party=party)

    assert told(invite) == []
    assert (invite.headers("Privacy"), invite.headers("Proxy-Require")) == ([], [])
    assert invite.header("X-Own") == "kept"
    assert invite.header("From").startswith(party)


@pytest.mark.parametrize("party", ["<sip:alice@board.test>", '"Alice" <sip:x@anonymous.invalid>'])
async def test_a_from_that_names_somebody_is_for_a_back_to_back_agent_to_change(
    autojump_clock, board, phones, party
) -> None:
    """RFC 3323 §5.3: whoever changes it has to change it back in every message of the dialog."""
    invite = await forwarded(board, phones, ("Privacy: user;id", *TALK), party=party)

    assert told(invite) == []
    assert invite.headers("Privacy") == ["user"]
    assert invite.header("From").startswith(party)


@pytest.mark.parametrize("asked", [(), ("Privacy: none",), ("Privacy: id",)])
async def test_what_is_for_information_goes_on_unless_user_is_asked_for(
    autojump_clock, board, phones, asked
) -> None:
    invite = await forwarded(board, phones, (*asked, *TALK))

    assert told(invite) == [line.partition(": ")[2] for line in TALK]


@pytest.mark.parametrize(
    ("asked", "failed"),
    [
        ("header;critical", "header"),
        ("critical;id;session;header", "session, header"),
        ("user;critical", "user"),
        ("critical;something-new;x\u2028y;header", "unknown, header"),
        ("critical;history", "history"),
    ],
)
async def test_a_critical_wish_that_no_proxy_grants_is_refused(
    autojump_clock, board, phones, asked, failed
) -> None:
    """RFC 3323 §5: with 500, and what could not be done in the reason phrase."""
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board():
        await bob.register()
        headers = (f"Privacy: {asked}", "Proxy-Require: privacy")
        alice.send(alice.request("INVITE", "sip:bob@board.test", headers=headers))

        assert (await alice.receive("SIP/2.0 5")).reason == f"Privacy Failure: {failed}"
        await bob.hears_nothing()


async def test_of_proxy_require_only_privacy_is_known(autojump_clock, board, phones) -> None:
    alice = phones("alice", 2)
    async with board():
        headers = ("Privacy: id", "Proxy-Require: privacy, sec-agree")
        alice.send(alice.request("INVITE", "sip:bob@board.test", headers=headers))

        assert (await alice.receive("SIP/2.0 420")).header("Unsupported") == "sec-agree"


@pytest.mark.parametrize("party", [None, ANONYMOUS])
@pytest.mark.parametrize("asked", [[], ["none"], ["id"], ["id;critical"]])
async def test_who_is_trusted_is_told_which_user_has_proved_to_call(
    autojump_clock, board, phones, party, asked
) -> None:
    """RFC 3325 §5, §7: in the trust domain the wish goes with the identity."""
    headers = (*(f"Privacy: {one}" for one in asked), "P-Preferred-Identity: <sip:boss@board.test>")
    invite = await forwarded(board, phones, headers, party=party, trusted=BOB)

    assert invite.headers("P-Asserted-Identity") == ["<sip:alice@board.test>"]
    assert invite.headers("P-Preferred-Identity") == []
    assert invite.headers("Privacy") == asked


@pytest.mark.parametrize("trusted", [(), ("10.0.0.4/32", "fd00::/8")])
async def test_who_is_not_trusted_is_told_nothing(autojump_clock, board, phones, trusted) -> None:
    invite = await forwarded(board, phones, trusted=trusted)

    assert invite.headers("P-Asserted-Identity") == []


async def test_for_guests_nobody_vouches(autojump_clock, board, phones) -> None:
    guest, bob = phones("guest", 66), phones("bob", 3)
    guest.party = "<sip:guest@elsewhere.test>"
    async with board(trusted=BOB, guests=True):
        await bob.register()
        headers = ("P-Asserted-Identity: <sip:alice@board.test>",)
        guest.send(guest.request("INVITE", "sip:bob@board.test", headers=headers))

        assert (await bob.receive("INVITE")).headers("P-Asserted-Identity") == []


OURS = "<sip:bob@board.test>;index=1"
SENT_ON = "<sip:carol@BOARD.test;x=1?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1"
WISHED = '"Dave" <sip:dave@board.test?Reason=SIP%3Bcause%3D486&Privacy=id%3Bhistory>;index=1.2'
THEIRS = "<sip:eve@elsewhere.test?Privacy=history>;index=1.3"
NOBODY = "<sip:anonymous@anonymous.invalid>;index="


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ([], [OURS, SENT_ON, NOBODY + "1.2", THEIRS]),
        (["id"], [OURS, SENT_ON, NOBODY + "1.2", THEIRS]),
        (["history"], [NOBODY + "1", NOBODY + "1.1;mp=1", NOBODY + "1.2", THEIRS]),
        (["header"], [NOBODY + "1", NOBODY + "1.1;mp=1", NOBODY + "1.2", THEIRS]),
        (["id;session"], [NOBODY + "1", NOBODY + "1.1;mp=1", NOBODY + "1.2", THEIRS]),
        (["none"], [OURS, SENT_ON, WISHED, THEIRS]),
    ],
)
async def test_whom_a_request_was_for_is_told_to_nobody_who_is_not_trusted(
    autojump_clock, board, phones, asked, left
) -> None:
    """RFC 7044 §10.1: of our domain, for all of it or for an entry that says so itself."""
    history = (f"History-Info: {OURS}, {SENT_ON}", f"History-Info: {WISHED}, {THEIRS}")
    wish = tuple(f"Privacy: {one}" for one in asked)
    invite = await forwarded(board, phones, (*wish, *history))

    assert invite.values("History-Info") == left


@pytest.mark.parametrize("trusted", [(), BOB])
async def test_the_trust_domain_is_told_whom_a_request_was_for(
    autojump_clock, board, phones, trusted
) -> None:
    """RFC 7044 §10.1.2: what leaves it is anonymised, and the wish goes on for the answers."""
    headers = ("Privacy: history", f"History-Info: {OURS}")
    invite = await forwarded(board, phones, headers, trusted=trusted)

    assert invite.values("History-Info") == [OURS if trusted else NOBODY + "1"]
    assert invite.headers("Privacy") == ["history"]


async def test_a_history_that_cannot_be_read_goes_on_as_it_is(
    autojump_clock, board, phones
) -> None:
    headers = ("Privacy: history", "History-Info: <nonsense, sip:x")
    invite = await forwarded(board, phones, headers)

    assert invite.headers("History-Info") == ["<nonsense, sip:x"]


async def test_requests_within_a_call_have_what_they_ask_for(autojump_clock, board, phones) -> None:
    alice, bob = phones("alice", 2), phones("bob", 3)
    async with board(trusted=BOB):
        await bob.register()
        await alice.invite("bob")
        bob.answer(await bob.receive("INVITE"), 200)
        answer = await alice.receive("SIP/2.0 200")
        for method, cseq in (("ACK", 2), ("BYE", 3)):
            text = alice.inside(method, answer, cseq=cseq)
            more = "\r\n".join(("Privacy: user;header", *TALK, "Max-Forwards"))
            alice.send(text.replace("Max-Forwards", more, 1))
            got = await bob.receive(method)
            assert told(got) == []
            assert got.headers("Privacy") == ["user;header"]
            assert got.headers("P-Asserted-Identity") == []


async def test_what_proves_a_password_of_ours_goes_no_further(
    autojump_clock, board, phones
) -> None:
    """RFC 3261 §22.3: it is for this proxy; a callee could guess at the password by it."""
    other = 'Digest username="alice", realm="other.test", nonce="n", uri="sip:x", response="r"'
    invite = await forwarded(board, phones, (f"Proxy-Authorization: {other}",))

    assert invite.headers("Proxy-Authorization") == [other]


@pytest.mark.parametrize("trusted", ["10.0.0.0/8", ("nonsense",), ("10.0.0.1/8",)])
def test_what_is_no_network_is_an_error(trusted) -> None:
    with pytest.raises(InvalidArgumentsError, match="trusted"):
        open_switchboard(trusted=trusted)

"""Following a 3xx (RFC 3261 §8.1.3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trivox.sip.redirection import MOST_REDIRECTIONS, Redirection, targets_untrusted

from .conftest import Driver

if TYPE_CHECKING:
    from trivox.sip.invite_session import InviteSession


def moved(caller, far_end, *contacts: str):
    caller.carry(caller.session.invite(b"offer"))
    _, invite = caller.last
    more = tuple(("Contact", value) for value in contacts)
    return far_end.response(invite, 302, contact="", more=more)


@pytest.mark.parametrize(
    ("contacts", "targets"),
    [
        (["<sip:a@x>"], ("sip:a@x",)),
        (["<sip:a@x>;q=0.2, <sip:b@x>;q=0.9", "<sip:c@x>"], ("sip:c@x", "sip:b@x", "sip:a@x")),
        (["<sip:a@x>;q=0.5, <sip:b@x>;q=.7, <sip:c@x>;q=7"], ("sip:c@x", "sip:b@x", "sip:a@x")),
        (["<sip:a@x>;q=-1, <sip:b@x>;q=0.1"], ("sip:b@x", "sip:a@x")),
        (["<sip:a@x>;q=١, <sip:b@x>;q=0.00001"], ("sip:a@x", "sip:b@x")),
        (["<sip:a@x>, <sip:a@x>"], ("sip:a@x",)),
        (["<tel:+1555>, <mailto:a@x>, <sips:b@x>"], ("sips:b@x",)),
        (
            ["<sip:a@x;method=REGISTER;transport=tcp?Replaces=1&To=b>"],
            ("sip:a@x;transport=tcp",),
        ),
        (["<sip:a?b;method=c@x;method=BYE?To=d>"], ("sip:a?b;method=c@x",)),
        (["<sip:", "*"], ()),
        ([], ()),
        ([", ".join(f"<sip:{n}@x>" for n in range(30))], tuple(f"sip:{n}@x" for n in range(10))),
    ],
)
def test_targets_come_in_the_order_of_their_q(caller, far_end, contacts, targets) -> None:
    assert targets_untrusted(moved(caller, far_end, *contacts), is_secure=False) == targets


def test_secure_call_is_sent_to_secure_targets_only(caller, far_end) -> None:
    response = moved(caller, far_end, "<sip:a@x>, <sips:b@x>")

    assert targets_untrusted(response, is_secure=True) == ("sips:b@x",)


def test_targets_are_tried_one_after_the_other_and_none_twice() -> None:
    redirection = Redirection("sip:first@x", 5)
    redirection.take(redirection.offer(("sip:a@x", "sip:FIRST@x", "sip:first@X", "sip:b@x")))

    assert redirection.next(302) == "sip:a@x"
    redirection.take(redirection.offer(("sip:c@x", "sip:a@x")))
    assert [redirection.next(486) for _ in range(4)] == [
        "sip:c@x",
        "sip:FIRST@x",
        "sip:b@x",
        None,
    ]


def test_target_that_waits_twice_is_tried_once() -> None:
    redirection = Redirection("sip:first@x", 5)
    redirection.take(("sip:a@x", "sip:a@X"))

    assert [redirection.next(404), redirection.next(404)] == ["sip:a@x", None]


def test_what_everybody_refuses_is_final() -> None:
    redirection = Redirection("sip:first@x", 5)
    redirection.take(("sip:a@x",))

    assert redirection.next(603) is None


@pytest.mark.parametrize(("limit", "followed"), [(0, 0), (1, 1), (99, MOST_REDIRECTIONS)])
def test_redirections_without_end_are_cut(limit, followed) -> None:
    redirection = Redirection("sip:first@x", limit)

    taken = [redirection.offer((f"sip:{number}@x",)) for number in range(20)]

    assert sum(bool(targets) for targets in taken) == followed


def test_invite_to_another_target_continues_the_first(caller, far_end, identity) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 302)))

    other = Driver(caller.session.redirected("sip:carol@example.net"))
    assert other.session.invite(b"offer") == ()
    other.session.use(identity)
    other.carry(other.session.invite(b"offer"))

    _, again = other.last
    assert again.uri == "sip:carol@example.net"
    for name in ("From", "To", "Call-ID"):
        assert far_end.header(again, name) == far_end.header(invite, name)
    assert far_end.header(again, "CSeq") == "2 INVITE"


def test_the_other_target_may_be_asked_with_other_headers(caller, far_end, identity) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 302)))

    other = Driver(caller.session.redirected("sip:carol@example.net"))
    other.session.use(identity, (("X-Way", "second"),))
    other.carry(other.session.invite(b"offer"))

    _, again = other.last
    assert far_end.header(again, "X-Way") == "second"


def test_call_may_be_given_up_before_the_other_target_is_known(caller, far_end) -> None:
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 302)))
    session: InviteSession = caller.session.redirected("sip:carol@example.net")

    [ended] = session.end()

    assert type(ended).__name__ == "LocalEnded"
    assert session.is_over

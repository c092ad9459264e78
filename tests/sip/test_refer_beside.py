"""A REFER beside its dialog: names, and the subscription it makes, both ends (RFC 4538, 7647)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sip.subscribing import Telling, Watching
from tests.sip.test_transfer import message

from trivox.errors import ParseError
from trivox.sip.event_headers import EventName
from trivox.sip.notifier import Notifier, Publication
from trivox.sip.outputs import Remember
from trivox.sip.refer import SIPFRAG, is_gruu_untrusted
from trivox.sip.replaces import DialogName, target_dialog_untrusted
from trivox.sip.subscriber import Notified
from trivox.sip.subscription_table import NotifierState, SubscriptionState

NAME = "c;remote-tag=b;local-tag=a"
TRYING = Publication(b"SIP/2.0 100 Trying\r\n", SIPFRAG)
DONE = Publication(b"SIP/2.0 200 OK\r\n", SIPFRAG)


def test_a_dialog_is_named_as_its_receiver_sees_it() -> None:
    """RFC 4538 §3, §7: local is the tag of who receives the header."""
    name = target_dialog_untrusted(message("REFER", ("Target-Dialog", NAME)))

    assert name == DialogName("c", to_tag="a", from_tag="b")
    assert name.as_target() == NAME
    assert target_dialog_untrusted(message("REFER")) is None


@pytest.mark.parametrize(
    "values",
    [
        [NAME, NAME],
        [""],
        ["c"],
        ["c;remote-tag=b"],
        [f"{NAME};local-tag=a"],
        ["c;to-tag=a;from-tag=b"],
    ],
)
def test_a_name_that_cannot_be_read_is_a_parse_error(values) -> None:
    with pytest.raises(ParseError):
        target_dialog_untrusted(message("REFER", *(("Target-Dialog", value) for value in values)))


@given(st.text(alphabet='ab;=-, \t"', max_size=60) | st.text(max_size=40))
def test_any_name_is_a_name_or_a_parse_error(text) -> None:
    try:
        name = DialogName.parse_target_untrusted(text)
    except ParseError:
        return
    assert DialogName.parse_target_untrusted(name.as_target()) == name


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:a@b;gr=urn:uuid:1", True),
        ("sip:tgruu.x@b;gr", True),
        ("sip:a@b;ob", False),
        ("no uri", False),
    ],
)
def test_a_gruu_is_told_by_its_parameter(uri, expected) -> None:
    """RFC 5627 §3.1, §3.2."""
    assert is_gruu_untrusted(uri) is expected


class Referring(Watching):
    """Who has sent the REFER."""

    def __init__(self, identity, far_end) -> None:
        wish = {"accept": (SIPFRAG,), "method": "REFER", "headers": (("Refer-To", "<sip:x@y>"),)}
        super().__init__(identity, far_end, event=EventName("refer"), **wish)


@pytest.fixture
def referring(identity, far_end) -> Referring:
    return Referring(identity, far_end)


def test_a_refer_says_no_event_and_what_follows_does(referring) -> None:
    """RFC 3515 §2.4.6: by the id that the first NOTIFY had."""
    header = referring.far_end.header
    referring.begin()
    referring.hears(200)
    told = referring.told("active;expires=600", event="refer;id=5")
    referring.later(600.0 * 0.7)

    refer, refresh = referring.sent
    assert [type(output) for output in told[:2]] == [Notified, Remember]
    assert (refer.method, header(refer, "CSeq")) == ("REFER", "1 REFER")
    assert (header(refer, "Event"), header(refer, "Expires")) == (None, None)
    assert header(refer, "Refer-To") == "<sip:x@y>"
    assert (refresh.method, header(refresh, "Event")) == ("SUBSCRIBE", "refer;id=5")
    assert header(refresh, "Refer-To") is None


def test_an_event_of_another_package_is_refused_all_the_same(referring) -> None:
    referring.begin()
    referring.hears(200)
    referring.told("active", event="dialog")

    assert referring.answers[-1].status == 489


def test_a_refusal_is_the_end(referring) -> None:
    referring.begin()
    referring.hears(603)

    assert referring.machine.state is SubscriptionState.TERMINATED


class Reporting(Telling):
    """Who was sent the REFER."""

    def __init__(self, identity, far_end) -> None:
        super().__init__(identity, far_end)
        request = far_end.request("REFER", to_tag="")
        self.machine = Notifier(request, 7, identity=identity, local_tag="us", cnonce="c")


@pytest.fixture
def reporting(identity, far_end) -> Reporting:
    reporting = Reporting(identity, far_end)
    reporting.answer = reporting.carry(reporting.machine.accept(TRYING, 0.0))[0]
    return reporting


def test_a_refer_is_answered_without_a_time_which_the_notify_tells(reporting) -> None:
    """RFC 3515 §2.4.4."""
    names = [name for name, _ in reporting.answer.headers]

    assert (reporting.answer.tx, reporting.answer.status) == (7, 200)
    assert "Contact" in names
    assert "Expires" not in names
    assert reporting.machine.event == EventName("refer")
    assert reporting.state_told() == "active;expires=3600"


def test_a_refresh_is_answered_with_its_time(reporting) -> None:
    reporting.hears(200)
    answer, *_ = reporting.asked(event="refer", more=(("Expires", "60"),))

    assert ("Expires", "60") in answer.headers
    assert reporting.state_told() == "active;expires=60"


def test_the_outcome_is_told_by_the_notify_that_ends_it(reporting) -> None:
    """RFC 3515 §2.4.7; one that is out still is waited for."""
    reporting.carry(reporting.machine.conclude(DONE, 1.0))
    assert len(reporting.sent) == 1
    reporting.hears(200)

    assert reporting.sent[-1].body == DONE.body
    assert reporting.state_told() == "terminated;reason=noresource"
    assert reporting.machine.state is NotifierState.OVER
    reporting.hears(200)
    assert reporting.machine.is_done

"""Registration: refresh, retries, challenges and the way out."""

from __future__ import annotations

import pytest

from trivox import _native
from trivox.sip.identity import LocalIdentity
from trivox.sip.outputs import SendRequest
from trivox.sip.registration import Registration, RegistrationChanged, RegistrationState
from trivox.sip.registration_table import (
    REGISTRATION_IGNORED,
    REGISTRATION_TABLE,
    RegistrationEvent,
)
from trivox.sip.table import ignored_because

S = RegistrationState


class Account:
    """A registration whose requests get transactions 1, 2, 3 …"""

    def __init__(self, identity: LocalIdentity, far_end, jitter: float = 0.5) -> None:
        self.machine = Registration(
            identity,
            "sip:example.org",
            call_id="reg-1",
            local_tag="us",
            cnonce="c",
            jitter=jitter,
        )
        self.far_end = far_end
        self.sent: list[SendRequest] = []

    def carry(self, outputs) -> list[RegistrationChanged]:
        facts = []
        for output in outputs:
            if isinstance(output, SendRequest):
                self.sent.append(output)
                self.machine.sent(len(self.sent))
            else:
                facts.append(output)
        return facts

    def register(self, expires: int = 600, now: float = 0.0):
        return self.carry(self.machine.register(expires, now))

    def hears(self, status: int, now: float = 0.0, **more):
        more = {"contact": ""} | more
        message = self.far_end.response(self.sent[-1], status, **more)
        event = self.far_end.answers(len(self.sent), message)
        return self.carry(self.machine.handle(event, now))

    def hears_event(self, event, now: float = 0.0):
        return self.carry(self.machine.handle(event, now))


@pytest.fixture
def account(identity, far_end) -> Account:
    return Account(identity, far_end)


@pytest.fixture
def registered(account) -> Account:
    account.register()
    account.hears(200, more=(("Expires", "600"),))
    return account


@pytest.mark.parametrize("state", RegistrationState)
@pytest.mark.parametrize("event", RegistrationEvent)
def test_every_pair_is_in_the_table_or_ignored_for_a_reason(state, event) -> None:
    is_row = event in REGISTRATION_TABLE[state]

    assert is_row != (ignored_because(REGISTRATION_IGNORED, state, event) is not None)


def test_register_binds_the_contact_to_the_address(far_end) -> None:
    identity = LocalIdentity(
        "sip:alice@example.org",
        "<sip:alice@192.0.2.1>",
        routes=("<sip:proxy;lr>",),
        user_agent="trivox",
    )
    account = Account(identity, far_end)

    facts = account.register(600)

    [sent] = account.sent
    assert (sent.method, sent.uri, sent.route) == (
        "REGISTER",
        "sip:example.org",
        ("<sip:proxy;lr>",),
    )
    assert sent.headers == (
        ("Route", "<sip:proxy;lr>"),
        ("Max-Forwards", "70"),
        ("From", "<sip:alice@example.org>;tag=us"),
        ("To", "<sip:alice@example.org>"),
        ("Call-ID", "reg-1"),
        ("CSeq", "1 REGISTER"),
        ("Contact", "<sip:alice@192.0.2.1>"),
        ("Supported", "path"),
        ("Expires", "600"),
        ("User-Agent", "trivox"),
    )
    assert [fact.state for fact in facts] == [S.REGISTERING]


@pytest.mark.parametrize(("jitter", "due"), [(0.0, 300.0), (0.5, 420.0), (1.0, 540.0)])
def test_refresh_comes_at_50_to_90_percent_of_the_expiry(identity, far_end, jitter, due) -> None:
    account = Account(identity, far_end, jitter)
    account.register()

    [fact] = account.hears(200, more=(("Expires", "600"),))

    assert (fact.state, fact.expires, fact.retry_after) == (S.REGISTERED, 600.0, None)
    assert account.machine.next_deadline() == due


def test_refresh_is_the_next_register_of_the_same_call(registered) -> None:
    machine = registered.machine

    early = registered.carry(machine.handle_timeout(419.0))
    [fact] = registered.carry(machine.handle_timeout(420.0))
    [done] = registered.hears(200, 420.0, more=(("Expires", "600"),))

    assert early == []
    assert fact.state is S.REFRESHING
    assert ("CSeq", "2 REGISTER") in registered.sent[1].headers
    assert done.state is machine.state is S.REGISTERED
    assert machine.next_deadline() == 840.0


def test_without_deadline_a_timeout_does_nothing(account) -> None:
    assert account.machine.handle_timeout(1e9) == ()


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [
        (("<sip:other@192.0.2.9>;expires=30", "<sip:alice@192.0.2.1>;expires=120"), 120.0),
        (("<sip:alice@203.0.113.5:9>;expires=90",), 90.0),
        (("<sip:other@192.0.2.9>;expires=30", "<sip:third@192.0.2.9>;expires=40"), 700.0),
        (("<sip:alice@192.0.2.1>;expires=soon",), 700.0),
        (("<sip:alice@192.0.2.1>",), 700.0),
        (("<<", "<sip:alice@192.0.2.1>;expires=60"), 60.0),
    ],
)
def test_expiry_is_that_of_our_own_contact(account, contacts, expires) -> None:
    account.register()
    more = tuple(("Contact", value) for value in contacts)

    [fact] = account.hears(200, more=(*more, ("Expires", "700")))

    assert fact.expires == expires


def test_without_any_expiry_the_wanted_one_counts(account) -> None:
    account.register(600)

    [fact] = account.hears(200)

    assert fact.expires == 600.0


def test_own_contact_that_is_no_uri_matches_nothing(far_end) -> None:
    account = Account(LocalIdentity("sip:alice@example.org", "<<"), far_end)
    account.register(600)

    [fact] = account.hears(200, more=(("Contact", "<sip:alice@192.0.2.1>;expires=90"),))

    assert fact.expires == 90.0


def test_registration_granted_for_no_time_is_a_failure(account) -> None:
    account.register()

    [fact] = account.hears(200, more=(("Contact", "<sip:alice@192.0.2.1>;expires=0"),))

    assert fact.state is S.FAILED


def test_challenge_is_answered_with_the_next_cseq(account, far_end) -> None:
    account.register()
    challenge = far_end.answers(1, far_end.challenge(account.sent[0]))

    facts = account.hears_event(challenge)
    [done] = account.hears(200)

    assert facts == []
    assert far_end.header(account.sent[1], "CSeq") == "2 REGISTER"
    assert 'realm="r"' in far_end.header(account.sent[1], "Authorization")
    assert done.state is S.REGISTERED


def test_wrong_password_fails_for_good(account, far_end) -> None:
    account.register()
    account.hears_event(far_end.answers(1, far_end.challenge(account.sent[0])))

    [fact] = account.hears_event(far_end.answers(2, far_end.challenge(account.sent[1])))

    assert (fact.state, fact.status, fact.retry_after) == (S.FAILED, 401, None)
    assert account.machine.next_deadline() is None


def test_proxy_challenge_is_answered_too(account, far_end) -> None:
    account.register()

    account.hears_event(far_end.answers(1, far_end.challenge(account.sent[0], 407, "proxy")))

    assert far_end.header(account.sent[1], "Proxy-Authorization") is not None


def test_too_brief_interval_is_raised_to_the_least(account, far_end) -> None:
    account.register(60)

    facts = account.hears(423, more=(("Min-Expires", "1800"),))

    assert facts == []
    assert far_end.header(account.sent[1], "Expires") == "1800"


@pytest.mark.parametrize("least", [(), (("Min-Expires", "30"),)])
def test_423_that_asks_for_nothing_longer_fails_for_good(account, least) -> None:
    account.register(60)

    [fact] = account.hears(423, more=least)

    assert (fact.state, fact.status) == (S.FAILED, 423)


def test_registrar_that_keeps_raising_the_interval_is_given_up(account) -> None:
    account.register(60)
    account.hears(423, more=(("Min-Expires", "100"),))
    account.hears(423, more=(("Min-Expires", "200"),))

    [fact] = account.hears(423, more=(("Min-Expires", "300"),))

    assert fact.state is S.FAILED


@pytest.mark.parametrize("status", [300, 400, 403, 404, 405, 420, 603])
def test_refusal_is_not_tried_again(account, status) -> None:
    account.register()

    [fact] = account.hears(status, reason="No")

    assert (fact.state, fact.status, fact.reason, fact.retry_after) == (
        S.FAILED,
        status,
        "No",
        None,
    )


def test_failures_back_off_exponentially_up_to_half_an_hour(account) -> None:
    account.register()
    waits = []
    for _ in range(9):
        *_, fact = account.hears(503)
        waits.append(fact.retry_after)
        account.carry(account.machine.handle_timeout(account.machine.next_deadline()))

    assert waits == [0.75 * wait for wait in (30, 60, 120, 240, 480, 960, 1800, 1800, 1800)]


def test_retry_after_of_the_registrar_is_respected(account) -> None:
    account.register()

    [fact] = account.hears(503, more=(("Retry-After", "120 (later);duration=9"),))

    assert fact.retry_after == 120.0


@pytest.mark.parametrize(
    ("event", "reason"), [("is_silent", "no answer"), ("is_gone", "connection lost")]
)
def test_silence_and_lost_flow_are_tried_again(account, far_end, event, reason) -> None:
    account.register()

    [fact] = account.hears_event(getattr(far_end, event)(1))

    assert (fact.state, fact.status, fact.reason, fact.retry_after) == (
        S.FAILED,
        0,
        reason,
        22.5,
    )


def test_success_after_failures_starts_the_back_off_anew(account) -> None:
    account.register()
    account.hears(503)
    account.carry(account.machine.handle_timeout(30.0))
    account.hears(200, 30.0)
    account.carry(account.machine.unregister(31.0))
    account.hears(200, 31.0)
    account.register(600, 40.0)

    [fact] = account.hears(503, 40.0)

    assert fact.retry_after == 22.5


def test_failed_refresh_keeps_the_binding_while_it_lasts(registered) -> None:
    registered.carry(registered.machine.handle_timeout(420.0))

    [fact] = registered.hears(503, 420.0)

    assert (fact.state, fact.retry_after, fact.expires) == (S.REGISTERED, 22.5, 180.0)
    assert registered.machine.next_deadline() == 442.5


def test_refresh_that_fails_until_the_binding_is_gone_has_failed(registered) -> None:
    registered.carry(registered.machine.handle_timeout(420.0))

    [fact] = registered.hears(503, 590.0)

    assert fact.state is S.FAILED


@pytest.mark.parametrize(
    "status", [400, 402, 405, 406, 413, 415, 416, 420, 421, 439, 481, 494, 499]
)
def test_a_refusal_of_what_was_granted_before_is_tried_again(registered, status) -> None:
    """RFC 5626 §4.5: with growing pauses. RFC 3261 §21.4 is about a request that is wrong."""
    now, waits, states = 420.0, [], []
    for _ in range(9):
        registered.carry(registered.machine.handle_timeout(now))
        *_, fact = registered.hears(status, now, reason="No")
        waits.append(fact.retry_after)
        states.append(fact.state)
        now = registered.machine.next_deadline()

    assert (fact.status, fact.reason) == (status, "No")
    assert waits == [0.75 * wait for wait in (30, 60, 120, 240, 480, 960, 1800, 1800, 1800)]
    assert states == [*[S.REGISTERED] * 3, *[S.FAILED] * 6]

    registered.carry(registered.machine.handle_timeout(now))
    [done] = registered.hears(200, now, more=(("Expires", "600"),))
    assert (done.state, done.expires) == (S.REGISTERED, 600.0)


@pytest.mark.parametrize("status", [302, 401, 403, 404, 407, 410, 423, 600, 603])
def test_what_cannot_become_right_is_given_up_also_by_who_was_registered(
    registered, status
) -> None:
    """RFC 3261 §21.4.4, §21.4.5, §21.4.11, §22.2, §10.2.8."""
    registered.carry(registered.machine.handle_timeout(420.0))

    [fact] = registered.hears(status, 420.0)

    assert (fact.state, fact.retry_after) == (S.FAILED, None)
    assert registered.machine.next_deadline() is None


def test_who_is_given_up_or_unregisters_begins_anew(registered) -> None:
    registered.carry(registered.machine.handle_timeout(420.0))
    registered.hears(403, 420.0)
    registered.register(600, 500.0)
    [first] = registered.hears(400, 500.0)
    registered.register(600, 510.0)
    registered.hears(200, 510.0)
    registered.carry(registered.machine.unregister(520.0))
    registered.hears(200, 520.0)
    registered.register(600, 530.0)
    [second] = registered.hears(400, 530.0)

    assert [(fact.state, fact.retry_after) for fact in (first, second)] == [(S.FAILED, None)] * 2


def test_retry_after_of_a_refused_refresh_is_respected(registered) -> None:
    registered.carry(registered.machine.handle_timeout(420.0))

    [fact] = registered.hears(400, 420.0, more=(("Retry-After", "100"),))

    assert (fact.state, fact.retry_after, fact.expires) == (S.REGISTERED, 100.0, 180.0)


def test_unregister_removes_our_binding_only(registered, far_end) -> None:
    [fact] = registered.carry(registered.machine.unregister(10.0))
    [done] = registered.hears(200, 10.0)

    sent = registered.sent[-1]
    assert far_end.header(sent, "Expires") == "0"
    assert far_end.header(sent, "Contact") == "<sip:alice@192.0.2.1>"
    assert (fact.state, done.state) == (S.UNREGISTERING, S.UNREGISTERED)
    assert registered.machine.next_deadline() is None


def test_unregister_waits_for_the_register_that_is_out(account, far_end) -> None:
    account.register()

    account.carry(account.machine.unregister(1.0))
    while_waiting = len(account.sent)
    account.hears(200, 2.0)
    [done] = account.hears(200, 3.0)

    assert while_waiting == 1
    assert far_end.header(account.sent[1], "Expires") == "0"
    assert done.state is S.UNREGISTERED


def test_unregister_goes_on_when_the_register_before_is_lost(account, far_end) -> None:
    account.register()
    account.carry(account.machine.unregister(1.0))

    account.hears_event(far_end.is_silent(1), 32.0)

    assert far_end.header(account.sent[1], "Expires") == "0"


@pytest.mark.parametrize("status", [200, 403, 503])
def test_unregistering_ends_whatever_the_answer(registered, status) -> None:
    registered.carry(registered.machine.unregister(10.0))

    [done] = registered.hears(status, 10.0)

    assert done.state is S.UNREGISTERED
    assert registered.machine.next_deadline() is None


def test_challenged_unregister_is_answered(registered, far_end) -> None:
    registered.carry(registered.machine.unregister(10.0))
    number = len(registered.sent)

    registered.hears_event(far_end.answers(number, far_end.challenge(registered.sent[-1])))

    assert far_end.header(registered.sent[-1], "Expires") == "0"
    assert far_end.header(registered.sent[-1], "Authorization") is not None


def test_commands_without_use_do_nothing(account) -> None:
    assert account.machine.unregister(0.0) == ()
    account.register()
    assert account.machine.register(60, 0.0) == ()


def test_failed_account_can_be_given_up(account) -> None:
    account.register()
    account.hears(503)

    [fact] = account.carry(account.machine.unregister(1.0))

    assert fact.state is S.UNREGISTERED
    assert account.machine.next_deadline() is None


def test_events_of_other_transactions_and_provisionals_are_passed_over(account, far_end) -> None:
    assert account.hears_event(far_end.is_silent(0)) == []
    account.register()

    assert account.hears(100) == []
    assert account.hears_event(far_end.is_silent(9)) == []
    unknown = (_native.EVENT_ACK, 1, 1, "", 0, None, 1, ("192.0.2.2", 5060))
    assert account.hears_event(unknown) == []
    assert account.machine.state is S.REGISTERING


@pytest.mark.parametrize(
    ("status", "name"), [(480, "Retry-After"), (200, "Expires"), (423, "Min-Expires")]
)
def test_a_registrar_cannot_send_us_away_for_longer_than_an_hour(account, status, name) -> None:
    account.register(600)

    account.hears(status, more=((name, "4294967295"),))

    assert (account.machine.next_deadline() or 0.0) <= 3600.0
    assert len(account.sent) == 1

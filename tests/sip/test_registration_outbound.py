"""Registration by flows: outbound (RFC 5626), Service-Route (RFC 3608), GRUU (RFC 5627)."""

from __future__ import annotations

import pytest

from trivox.sip.identity import LocalIdentity
from trivox.sip.outputs import SendRequest
from trivox.sip.registration import Registration, RegistrationChanged, RegistrationState

S = RegistrationState
URN = "urn:uuid:00000000-0000-1000-8000-000A95A0E128"
GRUU = "sip:alice@example.org;gr=urn:uuid:1"


class Flow:
    """One registration with an instance, and what it sent and told."""

    def __init__(
        self, far_end, *, instance: str = URN, jitter: float = 0.5, gruu: bool = True
    ) -> None:
        self.far_end = far_end
        self.machine = Registration(
            LocalIdentity("sip:alice@example.org", "<sip:alice@192.0.2.1>"),
            "sip:example.org",
            call_id="reg-1",
            local_tag="us",
            cnonce="c",
            jitter=jitter,
            instance=instance,
            reg_id=2,
            gruu=gruu,
        )
        self.sent: list[SendRequest] = []
        self.facts: list[RegistrationChanged] = []

    def carry(self, outputs) -> RegistrationChanged | None:
        self.facts = []
        for output in outputs:
            if isinstance(output, SendRequest):
                self.sent.append(output)
                self.machine.sent(len(self.sent))
            else:
                self.facts.append(output)
        return self.facts[-1] if self.facts else None

    def hears(self, status: int, now: float = 0.0, **more):
        message = self.far_end.response(self.sent[-1], status, **{"contact": ""} | more)
        return self.carry(self.machine.handle(self.far_end.answers(len(self.sent), message), now))


@pytest.fixture
def flow(far_end) -> Flow:
    return Flow(far_end)


@pytest.fixture
def registered(flow) -> Flow:
    flow.carry(flow.machine.register(600, 0.0))
    flow.hears(200, more=(("Expires", "600"), ("Require", "outbound")))
    return flow


def test_the_contact_names_device_and_flow_rfc_5626_section_4_2(flow) -> None:
    flow.carry(flow.machine.register(600, 0.0))

    [sent] = flow.sent
    assert dict(sent.headers)["Contact"] == (
        f'<sip:alice@192.0.2.1>;reg-id=2;+sip.instance="<{URN}>"'
    )
    assert dict(sent.headers)["Supported"] == "path, outbound, gruu"


def test_what_a_registrar_grants_is_told(flow) -> None:
    flow.carry(flow.machine.register(600, 0.0))
    more = (
        ("Contact", f'<sip:alice@192.0.2.1>;expires=500;pub-gruu="{GRUU}"'),
        ("Require", "Outbound"),
        ("Flow-Timer", "120"),
        ("Service-Route", "<sip:edge.example.org;lr>, <sip:core.example.org;lr>"),
    )
    fact = flow.hears(200, more=more)

    assert fact.state is S.REGISTERED
    assert fact.expires == 500
    assert fact.service_route == ("<sip:edge.example.org;lr>", "<sip:core.example.org;lr>")
    assert fact.gruu == GRUU
    assert fact.is_outbound
    assert fact.flow_timer == 120


def test_a_gruu_that_was_not_asked_for_is_not_used(far_end) -> None:
    flow = Flow(far_end, gruu=False)
    flow.carry(flow.machine.register(600, 0.0))
    more = (("Contact", f'<sip:alice@192.0.2.1>;expires=500;pub-gruu="{GRUU}"'),)

    assert dict(flow.sent[0].headers)["Supported"] == "path, outbound"
    assert flow.hears(200, more=more).gruu == ""


def test_a_registrar_without_outbound_grants_none(far_end) -> None:
    for instance, require in ((URN, ()), ("", (("Require", "outbound"),))):
        flow = Flow(far_end, instance=instance)
        flow.carry(flow.machine.register(600, 0.0))
        fact = flow.hears(200, more=(("Expires", "600"), *require))

        assert not fact.is_outbound
        assert fact.service_route == ()


@pytest.mark.parametrize(
    "gruu",
    ["sip:alice@example.org", "http://x;gr", "sip:a b@c;gr=1", "sip:a@b;gr=1>;x", "", "::"],
)
def test_what_is_no_gruu_is_not_taken_for_one_rfc_5627_section_4_3(flow, gruu) -> None:
    flow.carry(flow.machine.register(600, 0.0))
    more = (("Contact", f'<sip:alice@192.0.2.1>;expires=500;pub-gruu="{gruu}"'),)

    assert flow.hears(200, more=more).gruu == ""


@pytest.mark.parametrize(
    ("has_other", "jitter", "wait"),
    [(False, 0.0, 15), (False, 1.0, 30), (True, 0.0, 45), (True, 1.0, 90)],
)
def test_a_lost_flow_is_replaced_after_the_back_off_of_rfc_5626_section_4_5(
    far_end, has_other, jitter, wait
) -> None:
    flow = Flow(far_end, jitter=jitter)
    flow.carry(flow.machine.register(600, 0.0))
    flow.hears(200, more=(("Expires", "600"),))
    flow.machine.has_other_flow = has_other

    fact = flow.carry(flow.machine.flow_lost(100.0))

    assert (fact.state, fact.reason, fact.retry_after) == (S.FAILED, "connection lost", wait)
    assert flow.machine.next_deadline() == 100.0 + wait


def test_a_lost_flow_costs_nothing_while_a_register_is_out(registered) -> None:
    registered.carry(registered.machine.register(600, 1.0))

    assert registered.machine.flow_lost(2.0) == ()


def test_the_register_after_a_lost_flow_is_sent_by_the_new_one(registered) -> None:
    registered.carry(registered.machine.flow_lost(100.0))
    registered.machine.move(LocalIdentity("sip:alice@example.org", "<sip:alice@192.0.2.77>"))

    fact = registered.carry(registered.machine.handle_timeout(130.0))

    assert fact.state is S.REGISTERING
    assert dict(registered.sent[-1].headers)["Contact"].startswith(
        "<sip:alice@192.0.2.77>;reg-id=2"
    )


def test_failures_in_a_row_double_the_back_off(registered) -> None:
    waits = []
    for _ in range(8):
        if registered.machine.state is S.REGISTERED:
            registered.carry(registered.machine.flow_lost(0.0))
        waits.append(registered.machine.next_deadline())
        registered.carry(registered.machine.handle_timeout(1e9))
        registered.hears(503, now=0.0)

    assert waits == [22.5 * 2**n for n in range(6)] + [1350.0] * 2

"""A registration fed with any responses, at any time: it asks again in bounded time and never raises."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivox import _native
from trivox.errors import ParseError
from trivox.sip.outputs import SendRequest
from trivox.sip.registration import Registration, RegistrationChanged, RegistrationState

LONGEST = 4000.0
"""Seconds within which a registration that is wanted has something to do."""

STATUSES = (
    100,
    200,
    200,
    200,
    202,
    301,
    401,
    401,
    407,
    403,
    404,
    420,
    423,
    423,
    480,
    500,
    503,
    603,
    699,
)
NUMBERS = (
    "0",
    "1",
    "60",
    "3600",
    "4294967296",
    "99999999999999999999",
    "-1",
    "+5",
    "1_0",
    "٣",
    "",
    "x",
    "60;a=b",
    " 60 ",
)
CONTACTS = (
    "<sip:alice@192.0.2.1>", "<sip:alice@192.0.2.1>;expires=60", "<sip:alice@192.0.2.1>;expires=0", "*", "",
    "<sip:alice@192.0.2.1>;expires=99999999999", "<sip:alice@192.0.2.1>;expires=x", "sip:other@192.0.2.7;expires=9",
    "<sip:alice@192.0.2.1>;expires=60;pub-gruu=\"sip:g@example.org\";temp-gruu=\"x\"", "<", '"', "<sip:>;expires=1",
)  # fmt: skip
CHALLENGES = (
    'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256', 'Digest realm="r", nonce="n2", stale=true',
    'Digest realm="r", nonce="n", algorithm=MD5', 'Digest realm="other", nonce="n"', 'Digest realm="r"', "Basic x", "",
    'Digest realm="r", nonce="n", qop="auth-int"', 'Digest realm="r", nonce="n", algorithm=X', 'Digest "', "Digest",
)  # fmt: skip
headers = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("Expires", "Min-Expires", "Retry-After", "Flow-Timer")), st.sampled_from(NUMBERS)),
        st.tuples(st.just("Contact"), st.sampled_from(CONTACTS)),
        st.tuples(st.sampled_from(("WWW-Authenticate", "Proxy-Authenticate")), st.sampled_from(CHALLENGES)),
        st.tuples(
            st.sampled_from(("Service-Route", "Path", "Require", "Supported")),
            st.sampled_from(("<sip:p;lr>", "outbound", "gruu", "path", "<", "")),
        ),
    ),
    max_size=5,
)  # fmt: skip
steps = st.lists(
    st.one_of(
        st.tuples(st.just("hears"), st.sampled_from(STATUSES), headers, st.integers(0, 3)),
        st.tuples(st.just("fails"), st.sampled_from(("EVENT_TIMEOUT", "EVENT_TRANSPORT_ERROR"))),
        st.tuples(st.just("waits"), st.sampled_from((0.0, 1.0, 40.0, 3600.0))),
        st.just(("flow_lost",)),
        st.just(("register", 600)),
        st.just(("unregister",)),
    ),
    max_size=30,
)


class Run:
    """One registration, and what it sent."""

    def __init__(self, identity, far_end) -> None:
        self.far_end = far_end
        self.machine = Registration(
            identity,
            "sip:example.org",
            call_id="reg-1",
            local_tag="us",
            cnonce="c",
            jitter=0.5,
            instance="urn:uuid:1",
            reg_id=1,
            gruu=True,
        )
        self.sent: list[SendRequest] = []
        self.now = 0.0

    def carry(self, outputs) -> None:
        for output in outputs:
            assert isinstance(output, SendRequest | RegistrationChanged)
            if isinstance(output, SendRequest):
                self.sent.append(output)
                self.machine.sent(len(self.sent))

    def hears(self, status: int, more, back: int) -> None:
        number = max(1, len(self.sent) - back)
        try:
            message = self.far_end.response(
                self.sent[number - 1], status, contact="", more=tuple(more)
            )
        except ParseError:
            return
        self.carry(self.machine.handle(self.far_end.answers(number, message), self.now))

    def fails(self, kind: str) -> None:
        event = (
            getattr(_native, kind),
            1,
            len(self.sent),
            "REGISTER",
            0,
            None,
            1,
            ("192.0.2.2", 5060),
        )
        self.carry(self.machine.handle(event, self.now))

    def waits(self, seconds: float) -> None:
        self.now += seconds
        self.carry(self.machine.handle_timeout(self.now))

    def flow_lost(self) -> None:
        self.carry(self.machine.flow_lost(self.now))

    def register(self, expires: int) -> None:
        self.carry(self.machine.register(expires, self.now))

    def unregister(self) -> None:
        self.carry(self.machine.unregister(self.now))


def _check(run: Run) -> None:
    """Whatever came: either a REGISTER is out, or the next is due in time, or none is wanted."""
    deadline = run.machine.next_deadline()
    if deadline is not None:
        assert deadline - run.now <= LONGEST
    assert isinstance(run.machine.state, RegistrationState)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=steps)
def test_a_registration_survives_any_responses(identity, far_end, drawn):
    run = Run(identity, far_end)
    run.register(600)
    for name, *arguments in drawn:
        getattr(run, name)(*arguments)
        _check(run)

    numbers = [int(dict(request.headers)["CSeq"].partition(" ")[0]) for request in run.sent]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=steps)
def test_a_registration_comes_back_when_the_registrar_does(identity, far_end, drawn):
    run = Run(identity, far_end)
    run.register(600)
    for name, *arguments in drawn:
        getattr(run, name)(*arguments)
    for _ in range(2):  # one that is out and one that removes the binding
        if run.machine.state is RegistrationState.UNREGISTERING:
            run.fails("EVENT_TIMEOUT")
    run.register(600)

    for _ in range(10):
        if run.machine.state is RegistrationState.REGISTERED:
            return
        run.hears(200, (("Contact", "<sip:alice@192.0.2.1>;expires=600"),), 0)
        deadline = run.machine.next_deadline()
        if deadline is not None and run.machine.state is not RegistrationState.REGISTERED:
            run.waits(deadline - run.now)
    assert run.machine.state is RegistrationState.REGISTERED

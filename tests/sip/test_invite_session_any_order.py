"""Whatever comes in whatever order: a session raises nothing and ends exactly once."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivox.errors import CallWrongStateError
from trivox.sip import events
from trivox.sip.invite_session import InviteSession
from trivox.sip.outputs import SendRequest

ENDS = (
    events.Rejected,
    events.TimedOut,
    events.TransportFailed,
    events.RemoteCancelled,
    events.RemoteEnded,
    events.ProgressTimedOut,
    events.LocalEnded,
)
STATUSES = (100, 180, 183, 200, 202, 302, 401, 407, 408, 422, 481, 486, 491, 500, 503, 603)

MORE = (
    ("Supported", "timer, 100rel"),
    ("Session-Expires", "120"),
    ("Allow", "UPDATE"),
    ("Min-SE", "100"),
)

commands = st.sampled_from(
    [
        ("invite", b"offer"),
        ("invite",),
        ("acknowledge", b"answer"),
        ("provisional", 180, "Ringing"),
        ("provisional", 183, "Progress", (), b"answer", "application/sdp"),
        ("acknowledge_progress", "them", b"answer"),
        ("acknowledge_modification", b"answer"),
        ("accept", (), b"answer"),
        ("accept",),
        ("reject", 486, "Busy Here"),
        ("end",),
    ]
)
responses = st.tuples(
    st.just("response"),
    st.integers(0, 20),
    st.sampled_from(STATUSES),
    st.sampled_from(["them", "other", ""]),
    st.sampled_from([b"", b"sdp"]),
    st.sampled_from([(), MORE, (*MORE, ("RSeq", "1"), ("Require", "100rel"))]),
)
requests = st.tuples(
    st.just("request"),
    st.sampled_from(["BYE", "INVITE", "INFO", "UPDATE", "PRACK"]),
    st.integers(1, 9),
    st.sampled_from(["them", "other"]),
    st.sampled_from([b"", b"sdp"]),
)
signs = st.tuples(
    st.sampled_from(["acknowledges", "cancels", "is_silent", "is_gone", "never_acknowledges"]),
    st.one_of(st.just(7), st.integers(50, 60), st.integers(100, 110)),
)
steps = st.lists(
    st.one_of(
        commands,
        responses,
        requests,
        signs,
        st.just(("info",)),
        st.tuples(st.just("modify"), st.sampled_from([b"", b"sdp"])),
        st.tuples(st.just("handle_timeout"), st.sampled_from([0.0, 5.0, 100.0, 2000.0])),
        st.tuples(st.just("respond"), st.integers(50, 60), st.sampled_from([200, 488])),
    ),
    max_size=25,
)


class Run:
    """One sequence: what was sent, and the facts that end a session."""

    def __init__(self, session: InviteSession, far_end) -> None:
        self.session, self.far_end = session, far_end
        self.sent: list[SendRequest] = []
        self.ends: list[object] = []
        self.received = 50

    def carry(self, outputs) -> None:
        for output in outputs:
            if isinstance(output, SendRequest):
                self.session.sent(100 + len(self.sent))
                self.sent.append(output)
        self.ends += [output for output in outputs if isinstance(output, ENDS)]

    def step(self, name: str, *given) -> None:
        session, far_end = self.session, self.far_end
        if name == "response":
            number, status, tag, body, more = given
            if number < len(self.sent):
                sent = self.sent[number]
                if status in (401, 407):
                    message = far_end.challenge(sent, status)
                else:
                    message = far_end.response(sent, status, tag=tag, body=body, more=more)
                self.carry(session.handle(far_end.answers(100 + number, message), 0.0))
        elif name == "request":
            method, cseq, tag, body = given
            more = (("RAck", f"{cseq} 1 INVITE"),) if method == "PRACK" else MORE
            message = far_end.request(method, cseq=cseq, from_tag=tag, body=body, more=more)
            self.carry(session.handle(far_end.asks(self.received, message), 0.0))
            self.received += 1
        elif name == "info":
            with suppress(CallWrongStateError):
                self.carry((session.request("INFO"),))
        elif name in ("modify", "handle_timeout"):
            with suppress(CallWrongStateError):
                self.carry(getattr(session, name)(*given))
        elif name == "respond":
            session.respond(given[0], given[1], "Reason", body=b"sdp")
        elif hasattr(far_end, name):
            self.carry(session.handle(getattr(far_end, name)(*given), 0.0))
        else:
            self.carry(getattr(session, name)(*given))


def check(run: Run, sequence) -> None:
    for step in sequence:
        run.step(*step)
        assert len(run.ends) == run.session.is_over


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=steps)
def test_session_of_ours_ends_once_whatever_comes(identity, far_end, sequence) -> None:
    session = InviteSession.outgoing(
        identity, "sip:bob@example.com", call_id="call-1", local_tag="us", cnonce="c"
    )

    check(Run(session, far_end), [("invite", b"offer"), *sequence])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=steps, offer=st.sampled_from([b"", b"offer"]))
def test_session_of_theirs_ends_once_whatever_comes(identity, far_end, sequence, offer) -> None:
    session = InviteSession.incoming(
        far_end.request("INVITE", to_tag="", body=offer, more=MORE),
        7,
        local_tag="us",
        contact="<sip:alice@192.0.2.1>",
        identity=identity,
        cnonce="c",
    )

    check(Run(session, far_end), sequence)

"""The far end of the sans-I/O tests: it writes SIP by hand, apart from the code under test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trivox import _native
from trivox._native import Message
from trivox.sip.digest import DigestClient
from trivox.sip.identity import LocalIdentity
from trivox.sip.invite_session import InviteSession
from trivox.sip.outputs import SendRequest, SendResponse

if TYPE_CHECKING:
    from trivox._native import SipEvent

ADDRESS = ("192.0.2.2", 5060)
SDP_TYPE = ("Content-Type", "application/sdp")


def header(output: object, name: str) -> str | None:
    """Return the only header of that name, or None."""
    found = headers(output, name)
    assert len(found) <= 1
    return found[0] if found else None


def headers(output: object, name: str) -> list[str]:
    """Return all values of that name in an output."""
    return [value for key, value in output.headers if key == name]  # type: ignore[attr-defined]


def said(outputs: tuple[object, ...]) -> list[str]:
    """Return what is sent, by method or status, and the other outputs by their types."""
    return [
        output.method
        if isinstance(output, SendRequest)
        else str(output.status)
        if isinstance(output, SendResponse)
        else type(output).__name__
        for output in outputs
    ]


def kinds(outputs: tuple[object, ...]) -> list[str]:
    """Return the outputs by their types, requests by method."""
    return [
        output.method if isinstance(output, SendRequest) else type(output).__name__
        for output in outputs
    ]


def write(start: str, lines: list[tuple[str, str]], body: bytes) -> Message:
    """Write a message out and parse it."""
    lines = [*lines, ("Content-Length", str(len(body)))]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return Message.parse(f"{start}\r\n{head}\r\n".encode() + body)


class FarEnd:
    """Answers what we send and makes requests of its own."""

    header = staticmethod(header)
    headers = staticmethod(headers)

    def response(
        self,
        sent: SendRequest,
        status: int,
        *,
        tag: str = "them",
        contact: str = "<sip:bob@192.0.2.2>",
        more: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        reason: str = "Because",
    ) -> Message:
        lines = [("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx")]
        lines += [(name, header(sent, name) or "") for name in ("From", "Call-ID", "CSeq")]
        to = header(sent, "To") or ""
        lines.append(("To", f"{to};tag={tag}" if tag and ";tag=" not in to else to))
        if contact:
            lines.append(("Contact", contact))
        lines += [*more, *([SDP_TYPE] if body else [])]
        return write(f"SIP/2.0 {status} {reason}", lines, body)

    def request(
        self,
        method: str,
        *,
        cseq: int = 1,
        from_tag: str = "them",
        to_tag: str = "us",
        contact: str = "<sip:bob@192.0.2.2>",
        more: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        from_display: str = '"Bob" <sip:bob@example.com>',
    ) -> Message:
        to = "<sip:alice@example.org>" + (f";tag={to_tag}" if to_tag else "")
        lines = [
            ("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKy"),
            ("Max-Forwards", "70"),
            ("From", f"{from_display};tag={from_tag}"),
            ("To", to),
            ("Call-ID", "call-1"),
            ("CSeq", f"{cseq} {method}"),
            *([("Contact", contact)] if contact else []),
            *more,
            *([SDP_TYPE] if body else []),
        ]
        return write(f"{method} sip:alice@192.0.2.1 SIP/2.0", lines, body)

    def challenge(self, sent: SendRequest, status: int = 401, realm: str = "r") -> Message:
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        value = f'Digest realm="{realm}", nonce="n{status}", qop="auth", algorithm=SHA-256'
        return self.response(sent, status, more=((name, value),), contact="")

    # Events as the core gives them

    def answers(self, tx: int, message: Message) -> SipEvent:
        kind = _native.EVENT_RESPONSE
        return (kind, 1, tx, message.method, message.status, message, 1, ADDRESS)

    def asks(self, tx: int, message: Message) -> SipEvent:
        return (_native.EVENT_REQUEST, 1, tx, message.method, 0, message, 1, ADDRESS)

    def acknowledges(self, tx: int, body: bytes = b"") -> SipEvent:
        message = self.request("ACK", body=body)
        return (_native.EVENT_ACK, 1, tx, "ACK", 0, message, 1, ADDRESS)

    def cancels(self, tx: int) -> SipEvent:
        message = self.request("CANCEL", to_tag="")
        return (_native.EVENT_CANCEL, 1, tx, "CANCEL", 0, message, 1, ADDRESS)

    def is_silent(self, tx: int) -> SipEvent:
        return (_native.EVENT_TIMEOUT, 1, tx, "INVITE", 0, None, 1, ADDRESS)

    def is_gone(self, tx: int) -> SipEvent:
        return (_native.EVENT_TRANSPORT_ERROR, 1, tx, "INVITE", 0, None, 1, ADDRESS)

    def never_acknowledges(self, tx: int) -> SipEvent:
        return (_native.EVENT_ACK_TIMEOUT, 1, tx, "INVITE", 0, None, 1, ADDRESS)


@pytest.fixture
def far_end() -> FarEnd:
    return FarEnd()


@pytest.fixture
def identity() -> LocalIdentity:
    digest = DigestClient("alice", "pw", realms=["r", "proxy"])
    return LocalIdentity("sip:alice@example.org", "<sip:alice@192.0.2.1>", digest=digest)


class Driver:
    """Carries a session's outputs out as its owner would: every request gets a transaction."""

    def __init__(self, session: InviteSession) -> None:
        self.session = session
        self.sent: dict[int, SendRequest] = {}

    def carry(self, outputs: tuple[object, ...]) -> list[object]:
        for output in outputs:
            if isinstance(output, SendRequest):
                self.sent[100 + len(self.sent)] = output
                self.session.sent(99 + len(self.sent))
        return list(outputs)

    def hears(self, event: SipEvent) -> list[object]:
        return self.carry(self.session.handle(event, 0.0))

    def waits(self, now: float) -> list[object]:
        return self.carry(self.session.handle_timeout(now))

    @property
    def last(self) -> tuple[int, SendRequest]:
        """The last transaction and its request."""
        tx = max(self.sent)
        return tx, self.sent[tx]


@pytest.fixture
def caller(identity: LocalIdentity) -> Driver:
    """A session of ours, before its INVITE."""
    return Driver(
        InviteSession.outgoing(
            identity, "sip:bob@example.com", call_id="call-1", local_tag="us", cnonce="c"
        )
    )


@pytest.fixture
def called(caller: Driver, far_end: FarEnd) -> Driver:
    """A session of ours, answered with SDP and acknowledged."""
    caller.carry(caller.session.invite(b"offer"))
    tx, invite = caller.last
    caller.hears(far_end.answers(tx, far_end.response(invite, 200, body=b"answer")))
    return caller


@pytest.fixture
def callee(far_end: FarEnd, identity: LocalIdentity) -> Driver:
    """A session of theirs, INVITE with SDP not answered; its transaction is 7."""
    return Driver(
        InviteSession.incoming(
            far_end.request("INVITE", to_tag="", body=b"offer"),
            7,
            local_tag="us",
            contact="<sip:alice@192.0.2.1>",
            identity=identity,
            cnonce="c",
        )
    )


@pytest.fixture
def answered(callee: Driver, far_end: FarEnd) -> Driver:
    """A session of theirs, answered and acknowledged."""
    callee.carry(callee.session.accept((), b"answer"))
    callee.hears(far_end.acknowledges(7))
    return callee

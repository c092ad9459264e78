"""Scripted phones on a virtual link around one switchboard."""

from __future__ import annotations

import itertools

import pytest
import trio

from trivox._native import Message
from trivox.sip.digest import DigestClient
from trivox.switchboard import open_switchboard
from trivox.testing import Link

BOARD = "10.0.0.1"
DOMAIN = "board.test"
USERS = {"alice": "a-secret", "bob": "b-secret", "carol": "c-secret"}


class Phone:
    """A far end that sends exactly what a test says, over a UDP socket of its own."""

    numbers = itertools.count(1)

    def __init__(self, link, name, host):
        self.name, self.host = name, host
        self.socket = link.host(host).bind_datagram((host, 5060))
        self.digest = DigestClient(name, USERS.get(name, "wrong"), realms=[DOMAIN])
        self.inbox = []

    @property
    def contact(self):
        return f"sip:{self.name}@{self.host}:5060"

    def send(self, text, destination=(BOARD, 5060)):
        self.socket.send(text if isinstance(text, bytes) else text.encode(), destination)

    async def receive(self, what, *, within=5.0):
        """Return the next message whose first line begins with `what`; keep the others out."""
        with trio.fail_after(within):
            while True:
                while self.inbox:
                    data = self.inbox.pop(0)
                    if data.startswith(what.encode()):
                        return Message.parse(data)
                await self.socket.wait_readable()
                self.inbox += [data for data, _ in self.socket.receive(64)]

    async def hears_nothing(self, *, during=5.0):
        with trio.move_on_after(during):
            await self.socket.wait_readable()
            self.inbox += [data for data, _ in self.socket.receive(64)]
        assert [data.partition(b"\r\n")[0] for data in self.inbox] == []

    def request(
        self,
        method,
        uri,
        *,
        to=None,
        headers=(),
        call_id=None,
        cseq=1,
        branch=None,
        tag="t",
        contact=True,
    ):
        number = next(Phone.numbers)
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:5060;branch=z9hG4bK{branch or number}",
            f"From: <sip:{self.name}@{DOMAIN}>;tag={self.name}{tag}",
            f"To: {to or f'<{uri}>'}",
            f"Call-ID: {call_id or f'call-{number}'}",
            f"CSeq: {cseq} {method}",
            *headers,
        ]
        names = {line.partition(":")[0].lower() for line in headers}
        if contact and "contact" not in names and method != "OPTIONS":
            lines.append(f"Contact: <{self.contact}>")
        if "max-forwards" not in names:
            lines.append("Max-Forwards: 70")
        return "\r\n".join([*lines, "Content-Length: 0", "", ""])

    async def authorized(self, method, uri, *, headers=(), call_id=None, **fields):
        """Send a request, answer its challenge, and return the second request's text."""
        call_id = call_id or f"call-{next(Phone.numbers)}"
        self.send(self.request(method, uri, headers=headers, call_id=call_id, **fields))
        challenge = await self.receive("SIP/2.0 40")
        asked, given = (
            ("WWW-Authenticate", "Authorization")
            if challenge.status == 401
            else ("Proxy-Authenticate", "Proxy-Authorization")
        )
        if challenge.status == 407 and method == "INVITE":
            self.send(self.ack_of(challenge))
        answer = self.digest.answer(challenge.headers(asked), method, uri, b"", "cnonce")
        assert answer is not None, f"{challenge.status} has no challenge"
        text = self.request(
            method, uri, headers=(*headers, f"{given}: {answer}"), call_id=call_id, cseq=2, **fields
        )
        self.send(text)
        return text

    async def register(self, *, expires=3600, contact=None):
        headers = (f"Contact: <{contact or self.contact}>;expires={expires}",)
        to = f"<sip:{self.name}@{DOMAIN}>"
        await self.authorized("REGISTER", f"sip:{DOMAIN}", headers=headers, to=to)
        return await self.receive("SIP/2.0")

    async def invite(self, callee, **fields):
        return await self.authorized("INVITE", f"sip:{callee}@{DOMAIN}", **fields)

    def answer(self, request, status, reason="OK", *, tag=None, contact=True, headers=()):
        """Send a response to a request that was received."""
        tag = tag or f"{self.name}-tag"
        to = request.header("To")
        to = to if "tag=" in to or status == 100 else f"{to};tag={tag}"
        lines = [f"SIP/2.0 {status} {reason}"]
        lines += [f"Via: {value}" for value in request.headers("Via")]
        lines += [f"Record-Route: {value}" for value in request.headers("Record-Route")]
        lines += [f"{name}: {request.header(name)}" for name in ("From", "Call-ID", "CSeq")]
        lines += [f"To: {to}", *headers]
        if contact:
            lines.append(f"Contact: <{self.contact}>")
        self.send("\r\n".join([*lines, "Content-Length: 0", "", ""]))

    def ack_of(self, response):
        """Return the hop's ACK for a final response that is no 2xx."""
        cseq = response.header("CSeq").split()[0]
        return "\r\n".join(
            [
                f"ACK sip:x@{DOMAIN} SIP/2.0",
                f"Via: {response.headers('Via')[0]}",
                f"From: {response.header('From')}",
                f"To: {response.header('To')}",
                f"Call-ID: {response.header('Call-ID')}",
                f"CSeq: {cseq} ACK",
                "Max-Forwards: 70",
                "Content-Length: 0",
                "",
                "",
            ]
        )

    def inside(self, method, answer, *, cseq=3):
        """Return a request in the dialog that a 2xx to us made."""
        routes = [value for line in answer.headers("Record-Route") for value in line.split(", ")]
        target = answer.header("Contact").strip("<>")
        return self.request(
            method,
            target,
            to=answer.header("To"),
            headers=tuple(f"Route: {route}" for route in reversed(routes)),
            call_id=answer.header("Call-ID"),
            cseq=cseq,
        )

    def cancel_of(self, invite):
        """Return the CANCEL for an INVITE that was sent."""
        lines = invite.replace("INVITE ", "CANCEL ", 1).split("\r\n")
        keep = ("CANCEL ", "Via", "From", "To", "Call-ID", "Max-Forwards")
        kept = [line for line in lines if line.startswith(keep)]
        return "\r\n".join([*kept, "CSeq: 2 CANCEL", "Content-Length: 0", "", ""])


@pytest.fixture
def link():
    return Link(1)


@pytest.fixture
async def phones(link):
    """Return a function that makes a phone; their sockets are closed at the end."""
    made = []

    def make(name, number):
        made.append(Phone(link, name, f"10.0.0.{number}"))
        return made[-1]

    yield make
    for phone in made:
        phone.socket.close()


@pytest.fixture
def board(link):
    """Return a function that opens the switchboard at 10.0.0.1:5060."""

    def make(**settings):
        settings = {"users": USERS, "domain": DOMAIN, "seed": bytes(32), **settings}
        settings.setdefault("listen", [f"sip:{BOARD}:5060;transport=udp"])
        return open_switchboard(sockets=link.host(BOARD), **settings)

    return make

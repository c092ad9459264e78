"""Scripted phones on a virtual link around one switchboard."""

from __future__ import annotations

import itertools

import pytest
import trio

from trivox import _native
from trivox._native import Message, NameAddr
from trivox.net.endpoint import Endpoint
from trivox.sip.digest import DigestClient
from trivox.sip.outputs import SendAck, SendRequest, SendResponse
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
        self.party = ""  # From, where it is not the user's own address

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
            f"From: {self.party or f'<sip:{self.name}@{DOMAIN}>'};tag={self.name}{tag}",
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

    def answer(
        self, request, status, reason="OK", *, tag=None, contact=True, headers=(), most_vias=9
    ):
        """Send a response to a request that was received."""
        tag = tag or f"{self.name}-tag"
        to = request.header("To")
        to = to if "tag=" in to or status == 100 else f"{to};tag={tag}"
        lines = [f"SIP/2.0 {status} {reason}"]
        lines += [f"Via: {value}" for value in request.headers("Via")[:most_vias]]
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


class Agent:
    """A user agent on an endpoint: registers, calls, answers all; for transports other than UDP."""

    numbers = itertools.count(1)

    def __init__(self, name, account, sockets, password, **settings):
        self.name, self.account, self.password = name, account, password
        self.digest = DigestClient(name, password, realms=[account.uri.partition("@")[2]])
        self.endpoint = Endpoint(
            self, listen=(), seed=name.encode() * 8, sockets=sockets, **settings
        )
        self.requests, self.acks, self.responses, self.errors = [], [], {}, []
        self.changed = trio.Event()

    def handle_sip(self, events, now):
        for kind, _, tx, _, _, message, flow, source in events:
            if kind == _native.EVENT_REQUEST:
                self.requests.append(message)
                contact = self.endpoint.contact(self.endpoint.flow(flow), source, self.name)
                headers = (("Contact", contact),)
                tag = f"{self.name}-tag"
                self.endpoint.respond(
                    SendResponse(tx, 200, "OK", headers, b"", tag), token=len(self.requests)
                )
            elif kind == _native.EVENT_ACK:
                self.acks.append(message)
            elif kind == _native.EVENT_RESPONSE:
                self.responses.setdefault(tx, []).append(message)
            else:
                self.errors.append((kind, tx))
        self.changed.set()
        self.changed = trio.Event()

    def handle_flow_closed(self, flow, *, is_peers):
        self.errors.append(("closed", flow))

    async def until(self, condition):
        with trio.fail_after(60):
            while not condition():
                await self.changed.wait()

    def _hop(self):
        target = self.endpoint.resolve_now(self.account.registrar)
        return self.endpoint.flow_to(target), target.address

    async def ask(self, method, uri, *, to=None, headers=(), expect_challenge=True):
        """Send a request with a challenge answered; return its final response."""
        flow, destination = self._hop()
        call_id = f"{self.name}-{next(Agent.numbers)}"
        contact = self.endpoint.contact(flow, destination, self.name)
        credentials = ()
        for cseq in (1, 2):
            fields = (
                ("From", f"<{self.account.uri}>;tag={self.name}"),
                ("To", to or f"<{uri}>"),
                ("Call-ID", call_id),
                ("CSeq", f"{cseq} {method}"),
                ("Max-Forwards", "70"),
                ("Contact", contact),
                *headers,
                *credentials,
            )
            output = SendRequest(method, uri, fields)
            tx = self.endpoint.request(output, token=1, flow=flow, destination=destination)
            await self.until(lambda tx=tx: any(m.status >= 200 for m in self.responses.get(tx, ())))
            final = next(one for one in self.responses[tx] if one.status >= 200)
            if final.status not in (401, 407):
                return tx, final
            name, value = (
                ("Authorization", final.headers("WWW-Authenticate"))
                if final.status == 401
                else ("Proxy-Authorization", final.headers("Proxy-Authenticate"))
            )
            credentials = ((name, self.digest.answer(value, method, uri, b"", "c")),)
        return tx, final

    async def register(self):
        domain = self.account.uri.partition("@")[2]
        _, final = await self.ask("REGISTER", f"sip:{domain}", to=f"<{self.account.uri}>")
        return final

    async def call(self, uri):
        """Call and acknowledge; return the 200."""
        tx, answer = await self.ask("INVITE", uri)
        if answer.status == 200:
            self.inside("ACK", answer, tx=tx, cseq=2)
        return answer

    def inside(self, method, answer, *, cseq, tx=0):
        flow, destination = self._hop()
        routes = tuple(reversed(answer.values("Record-Route")))
        target = answer.header("Contact").strip("<>")
        fields = (
            ("From", answer.header("From")),
            ("To", answer.header("To")),
            ("Call-ID", answer.header("Call-ID")),
            ("CSeq", f"{cseq} {method}"),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in routes),
        )
        if method == "ACK":
            output = SendAck(tx, answer.key()[4], target, fields)
            self.endpoint.acknowledge(output, flow=flow, destination=destination)
            return 0
        output = SendRequest(method, target, fields)
        return self.endpoint.request(output, token=1, flow=flow, destination=destination)

    async def hang_up(self, answer):
        tx = self.inside("BYE", answer, cseq=3)
        await self.until(lambda: tx in self.responses)
        return self.responses[tx][-1]

    async def hang_up_called(self, invite):
        """Send BYE from the side that was called."""
        hop = NameAddr.parse(invite.values("Record-Route")[0]).uri
        flow, source = self.endpoint.next_hop(hop, flow=self.flow_of(), source=("", 0))
        target = invite.header("Contact").strip("<>")
        fields = (
            ("From", f"{invite.header('To')};tag={self.name}-tag"),
            ("To", invite.header("From")),
            ("Call-ID", invite.header("Call-ID")),
            ("CSeq", "1 BYE"),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in invite.values("Record-Route")),
        )
        output = SendRequest("BYE", target, fields)
        tx = self.endpoint.request(output, token=1, flow=flow, destination=source)
        await self.until(lambda: tx in self.responses)
        return self.responses[tx][-1]

    def flow_of(self):
        return self._hop()[0].id


@pytest.fixture
def agent(nursery):
    """Return an async function that starts an agent for a user of a switchboard."""

    async def start(board, name, transport, sockets=None, **settings):
        account = board.account(name, transport=transport)
        made = Agent(name, account, sockets, account.password, **settings)
        await nursery.start(made.endpoint.run)
        return made

    return start

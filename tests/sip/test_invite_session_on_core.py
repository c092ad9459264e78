"""Two sessions on two real cores over a link that may lose the first copy of each datagram."""

from __future__ import annotations

import pytest

from trivox import _native
from trivox._native import SipCore
from trivox.sip import events
from trivox.sip.digest import DigestClient, DigestOutcome, DigestServer
from trivox.sip.identity import LocalIdentity
from trivox.sip.invite_session import InviteSession
from trivox.sip.invite_table import InviteState
from trivox.sip.outputs import Forget, SendAck, SendCancel, SendRequest, SendResponse

US, THEM = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
SEEDS = {US: bytes(32), THEM: bytes(range(32))}


class Party:
    """A core, one session on it, and the facts it has told."""

    def __init__(self, address, peer) -> None:
        self.address, self.peer = address, peer
        self.core = SipCore(SEEDS[address])
        self.core.open_flow(1, "udp", address)
        self.session: InviteSession | None = None
        self.facts: list[object] = []
        self.server: DigestServer | None = None

    def carry(self, outputs, now) -> None:
        sent_by = f"{self.address[0]}:{self.address[1]}"
        for out in outputs:
            match out:
                case SendRequest():
                    tx = self.core.request(
                        out.method, out.uri, 1, self.peer, sent_by, out.headers, out.body, 1, now
                    )
                    self.session.sent(tx)
                case SendAck():
                    self.core.acknowledge(
                        out.tx,
                        out.to_tag,
                        out.uri,
                        1,
                        self.peer,
                        sent_by,
                        out.headers,
                        out.body,
                        now,
                    )
                case SendCancel():
                    self.core.cancel(out.tx, out.headers, 1, now)
                case SendResponse():
                    self.core.respond(
                        out.tx, out.status, out.reason, out.headers, out.body, out.to_tag, 1, now
                    )
                case Forget():
                    self.core.forget(out.call_id, out.local_tag, out.remote_tag)
                case _:
                    self.facts.append(out)

    def hear(self, happened, now) -> None:
        for event in happened:
            kind, _, tx, method, _, message, _, _ = event
            is_new = kind == _native.EVENT_REQUEST and method == "INVITE" and event[1] == 0
            if is_new and not self._is_let_in(tx, message, now):
                continue
            if is_new:
                self.session = InviteSession.incoming(
                    message, tx, local_tag="them", contact="<sip:bob@192.0.2.2>"
                )
            else:
                self.carry(self.session.handle(event, now), now)

    def _is_let_in(self, tx, message, now) -> bool:
        if self.server is None:
            return True
        values = message.headers("Authorization")
        verdict = self.server.check(values, "INVITE", message.uri, lambda _user: "pw", now)
        if verdict.outcome is DigestOutcome.ACCEPTED:
            return True
        headers = tuple(("WWW-Authenticate", value) for value in self.server.challenges(now))
        self.core.respond(tx, 401, "Unauthorized", headers, b"", "challenge", 0, now)
        return False


class World:
    """Both parties, a clock, and the link between them."""

    def __init__(self, *, is_lossy: bool) -> None:
        self.now = 0.0
        self.us, self.them = Party(US, THEM), Party(THEM, US)
        self.is_lossy = is_lossy
        self.seen: set[bytes] = set()
        digest = DigestClient("alice", "pw", realms=["board"])
        identity = LocalIdentity("sip:alice@example.org", "<sip:alice@192.0.2.1>", digest=digest)
        self.us.session = InviteSession.outgoing(
            identity, "sip:bob@192.0.2.2", call_id="call-1", local_tag="us", cnonce="c"
        )

    def do(self, party: Party, outputs) -> None:
        party.carry(outputs, self.now)
        self.settle()

    def settle(self) -> None:
        """Deliver until the link is empty."""
        while moved := [(p, self._passing(p.core.take_output())) for p in (self.us, self.them)]:
            if not any(data for _, data in moved):
                return
            for sender, batch in moved:
                receiver = self.them if sender is self.us else self.us
                datagrams = [(data, sender.address) for data in batch]
                receiver.hear(receiver.core.receive_batch(1, datagrams, self.now), self.now)

    def _passing(self, output) -> list[bytes]:
        data = [data for _, _, data in output]
        if not self.is_lossy:
            return data
        passing = [item for item in data if item in self.seen]
        self.seen.update(data)
        return passing

    def wait(self, seconds: float) -> None:
        """Run both cores' timers for a while."""
        until = self.now + seconds
        while True:
            due = [(p.core.next_deadline(), p) for p in (self.us, self.them)]
            times = [time for time, _ in due if time is not None and time <= until]
            if not times:
                self.now = until
                return
            self.now = max(self.now, min(times))
            for party in (self.us, self.them):
                party.hear(party.core.handle_timeout(self.now), self.now)
            self.settle()

    def is_quiet(self) -> bool:
        """Whether nothing is left in either core."""
        counts = [party.core.statistics() for party in (self.us, self.them)]
        return all(c["transactions"] == c["dialogs"] == 0 for c in counts)


def told(party: Party) -> list[str]:
    return [type(fact).__name__ for fact in party.facts]


@pytest.fixture(params=[False, True], ids=["clean", "lossy"])
def world(request) -> World:
    return World(is_lossy=request.param)


def test_call_is_set_up_and_hung_up_by_the_callee(world) -> None:
    us, them = world.us, world.them
    world.do(us, us.session.invite(b"offer"))
    world.wait(2.0)
    world.do(them, them.session.provisional(180, "Ringing"))
    world.do(them, them.session.accept((), b"answer"))
    world.wait(5.0)
    assert us.session.is_confirmed
    assert them.session.is_confirmed

    world.do(them, them.session.end())
    world.wait(200.0)

    assert [name for name in told(us) if name != "Progress"] == ["Answered", "RemoteEnded"]
    assert told(them) == ["Acknowledged", "LocalEnded"]
    assert world.is_quiet()


def test_challenged_call_gets_through_and_the_caller_hangs_up(world) -> None:
    us, them = world.us, world.them
    them.server = DigestServer(bytes(16), "board")
    world.do(us, us.session.invite(b"offer"))
    world.wait(5.0)
    world.do(them, them.session.accept((), b"answer"))
    world.wait(5.0)
    world.do(us, us.session.end())
    world.wait(200.0)

    assert told(us) == ["Challenged", "Answered", "LocalEnded"]
    assert told(them) == ["Acknowledged", "RemoteEnded"]
    assert world.is_quiet()


def test_caller_gives_up_while_it_rings(world) -> None:
    us, them = world.us, world.them
    world.do(us, us.session.invite(b"offer"))
    world.do(us, us.session.end())
    world.wait(200.0)

    assert told(us) == ["LocalEnded"]
    assert isinstance(them.facts[0], events.RemoteCancelled)
    assert world.is_quiet()


def test_answer_that_crosses_the_cancel_is_hung_up(world) -> None:
    us, them = world.us, world.them
    world.do(us, us.session.invite(b"offer"))
    world.wait(2.0)
    them.carry(them.session.accept((), b"answer"), world.now)
    us.carry(us.session.end(), world.now)
    world.wait(200.0)

    assert told(us) == ["CrossedAnswer", "LocalEnded"]
    # The BYE may overtake an ACK whose first copy is lost.
    assert [name for name in told(them) if name != "Acknowledged"] == ["RemoteEnded"]
    assert world.is_quiet()


def test_delayed_offer_is_completed_by_the_ack(world) -> None:
    us, them = world.us, world.them
    world.do(us, us.session.invite())
    world.wait(2.0)
    world.do(them, them.session.accept((), b"offer"))
    world.wait(2.0)
    assert us.facts[-1].is_offer

    world.do(us, us.session.acknowledge(b"answer"))
    world.wait(5.0)

    assert them.facts[-1].body == b"answer"
    assert them.session.is_confirmed


def test_callee_that_never_hears_the_ack_hangs_up() -> None:
    world = World(is_lossy=False)
    us, them = world.us, world.them
    world.do(us, us.session.invite())
    world.do(them, them.session.accept((), b"offer"))

    world.wait(100.0)

    assert told(them) == ["AcknowledgementTimedOut", "LocalEnded"]
    assert told(us) == ["Answered", "RemoteEnded"]
    assert us.session.state is InviteState.TERMINATED
    assert world.is_quiet()

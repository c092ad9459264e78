"""What must be true of every message that a party sends, by the RFCs, whatever came before it.

Each rule looks at the messages in the order in which they were sent and received; it keeps what it
needs to know, and says what is wrong with a message.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple, Protocol

from trivox._native import Message
from trivox.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .shape import Shape
    from .world import Outcome

BOARDS = ("home", "edge")
T1, T2 = 0.5, 4.0
LIFE = 64 * T1
"""Seconds a transaction may send: Timers B, F, H and J (RFC 3261 table 4)."""
EPSILON = 1e-6
MOST_SENDS = {"INVITE": 7}
"""Sends of one request over UDP in 64·T1 (§17.1.1.2); any other method: 11 (§17.1.2.2)."""


class Seen(NamedTuple):
    """One message with what the rules ask of it."""

    at: float
    party: str
    is_out: bool
    data: bytes
    message: Message
    method: str
    """Of a response, that of its CSeq."""
    status: int
    call_id: str
    from_tag: str
    to_tag: str
    branch: str
    cseq: int

    @property
    def is_board(self) -> bool:
        """Whether a proxy sent or received it."""
        return self.party in BOARDS

    @property
    def has_description(self) -> bool:
        """Whether its body is an offer or an answer."""
        return bool(self.message.body) and "sdp" in (self.message.header("Content-Type") or "")


class Rule(Protocol):
    """One of the rules."""

    def look(self, seen: Seen) -> Iterator[str]:
        """Take the next message; say what is wrong with it."""
        ...


class Form:
    """What is sent is well-formed, means the same when read again, and is not answered 4xx."""

    def __init__(self, _shape: Shape) -> None:
        pass

    def look(self, seen: Seen) -> Iterator[str]:
        if not seen.is_out:
            return
        again = Message.parse(seen.message.raw)
        if again.raw != seen.data or again.items() != seen.message.items():
            yield "does not mean the same when it is read again"
        if not seen.message.is_request:
            if seen.status >= 200 and not seen.to_tag:
                yield "sent a final response without To tag"
            return
        wrong = seen.message.validate()
        if wrong is not None:
            yield f"sent what is answered {wrong}"


class Silence:
    """A client INVITE is not repeated after a provisional response (§17.1.1.2)."""

    def __init__(self, _shape: Shape) -> None:
        self._answered: set[tuple[str, str]] = set()

    def look(self, seen: Seen) -> Iterator[str]:
        if seen.method != "INVITE":
            return
        if seen.is_out and seen.status == 0 and (seen.party, seen.branch) in self._answered:
            yield "repeated an INVITE after its response"
        elif not seen.is_out and seen.status >= 100:
            self._answered.add((seen.party, seen.branch))


class Timers:
    """A request is sent as often and as long as table 4 says, and once over a stream."""

    def __init__(self, shape: Shape) -> None:
        self._is_reliable = shape.transport != "udp"
        self._is_punctual = shape.is_punctual
        self._sends: dict[tuple[str, str, str], list[float]] = defaultdict(list)

    def look(self, seen: Seen) -> Iterator[str]:
        if not seen.is_out or seen.status or seen.method == "ACK":
            return
        sends = self._sends[seen.party, seen.branch, seen.method]
        sends.append(seen.at)
        if len(sends) == 1:
            return
        if self._is_reliable:
            yield "repeated a request over a stream"
        elif len(sends) > MOST_SENDS.get(seen.method, 11):
            yield f"sent a request {len(sends)} times"
        elif seen.at - sends[0] > LIFE + EPSILON:
            yield f"sent a request for {seen.at - sends[0]} s"
        elif self._is_punctual and not _is_step(sends[-1] - sends[-2]):
            yield f"repeated a request after {sends[-1] - sends[-2]} s"


def _is_step(seconds: float) -> bool:
    """Whether it is T1 doubled some times; a non-INVITE is capped at T2 (Timers A and E)."""
    # With a response that slows the client down to T2, that is the next step (Timer E).
    steps = [T1 * 2**power for power in range(6)]
    return any(abs(seconds - step) < EPSILON for step in (*steps, T2))


class Sequence:
    """CSeq grows in each dialog (§12.2.1.1)."""

    def __init__(self, _shape: Shape) -> None:
        self._messages: set[tuple[str, bytes]] = set()
        self._newest: dict[tuple[str, str, str, str], int] = {}

    def look(self, seen: Seen) -> Iterator[str]:
        if not seen.is_out or seen.status or seen.is_board:
            return
        is_repeated = (seen.party, seen.data) in self._messages
        self._messages.add((seen.party, seen.data))
        if is_repeated or seen.method in ("ACK", "CANCEL"):
            return
        outside = (seen.party, seen.call_id, seen.from_tag, "")
        dialog = (seen.party, seen.call_id, seen.from_tag, seen.to_tag)
        if seen.cseq <= max(self._newest.get(dialog, 0), self._newest.get(outside, 0)):
            yield "went back in CSeq"
        self._newest[dialog] = seen.cseq


class Acknowledgement:
    """Each 2xx to an INVITE is acknowledged once, a repeated one again (§13.2.2.4).

    Also one whose INVITE was given up: that is remembered for 64·T1 after Timer B.
    """

    def __init__(self, shape: Shape) -> None:
        self._may_forget = shape.is_harsh and not shape.is_lossy
        self._invites: dict[tuple[str, str], float] = {}
        self._open: Counter[tuple[str, str, str, int]] = Counter()
        self._late: Counter[tuple[str, str, str, int]] = Counter()
        """Those that may have come when their INVITE was forgotten."""

    def look(self, seen: Seen) -> Iterator[str]:
        if seen.is_board:
            return
        key = (seen.party, seen.call_id, seen.to_tag, seen.cseq)
        if seen.is_out and seen.method == "INVITE" and seen.status == 0:
            self._invites.setdefault((seen.party, seen.branch), seen.at)
        elif not seen.is_out and seen.method == "INVITE" and 200 <= seen.status < 300:
            sent = self._invites.get((seen.party, seen.branch), seen.at)
            self._open[key] += 1
            self._late[key] += seen.at >= sent + 2 * LIFE
        # The ACK for a failure is the transaction's: it has the branch of the INVITE.
        elif (
            seen.is_out and seen.method == "ACK" and (seen.party, seen.branch) not in self._invites
        ):
            self._open[key] -= 1
            if self._open[key] < 0:
                yield "acknowledged a 2xx that did not come"

    def end(self) -> Iterator[str]:
        """Say what is missing at the end of a run."""
        for key, count in self._open.items():
            party, call_id, _, _ = key
            if count > self._late[key] and not self._may_forget:
                yield f"{party} did not acknowledge a 2xx of call {call_id}"


class EndedDialogs:
    """A request in a dialog that is over is answered 481 (§12.2.2, §15.1.2)."""

    def __init__(self, _shape: Shape) -> None:
        self._ended: set[tuple[str, str, frozenset[str]]] = set()
        self._known: set[tuple[str, str]] = set()
        self._asked: set[tuple[str, str]] = set()

    def look(self, seen: Seen) -> Iterator[str]:
        if seen.is_board or not seen.to_tag:
            return
        dialog = (seen.party, seen.call_id, frozenset((seen.from_tag, seen.to_tag)))
        transaction = (seen.party, seen.branch)
        if seen.method == "BYE" and seen.status >= 200:
            self._ended.add(dialog)
        elif seen.status == 0 and not seen.is_out and seen.method not in ("ACK", "CANCEL"):
            if transaction not in self._known and dialog in self._ended:
                self._asked.add(transaction)
            self._known.add(transaction)
        if seen.is_out and seen.status >= 200 and transaction in self._asked and seen.status != 481:
            yield f"answered a request in a dialog that is over with {seen.status}"


class Offers:
    """There are never two offers of one party open in a dialog (RFC 3264 §4, RFC 3261 §14.1)."""

    def __init__(self, _shape: Shape) -> None:
        self._open: dict[tuple[str, str, frozenset[str]], tuple[str, int]] = {}

    def look(self, seen: Seen) -> Iterator[str]:
        if seen.is_board or seen.method not in ("INVITE", "UPDATE"):
            return
        if seen.status == 0:
            if seen.is_out and seen.to_tag and seen.has_description:
                yield from self._offer(seen)
        elif seen.status >= 200 and not seen.is_out:
            dialog = self._dialog(seen)
            if self._open.get(dialog) == (seen.method, seen.cseq):
                del self._open[dialog]

    def _offer(self, seen: Seen) -> Iterator[str]:
        dialog, offer = self._dialog(seen), (seen.method, seen.cseq)
        if self._open.setdefault(dialog, offer) != offer:
            yield f"made an offer while that of {self._open[dialog]} was open"

    @staticmethod
    def _dialog(seen: Seen) -> tuple[str, str, frozenset[str]]:
        return seen.party, seen.call_id, frozenset((seen.from_tag, seen.to_tag))


class Reliable:
    """A reliable provisional response is acknowledged once, and not repeated then (RFC 3262 §3, §4).

    A copy of the INVITE that comes later is answered with it all the same (RFC 3261 §17.2.1).
    """

    def __init__(self, _shape: Shape) -> None:
        self._heard: set[tuple[str, str, str, int]] = set()
        self._pracks: dict[tuple[str, str, str, int], str] = {}
        self._newest: dict[tuple[str, str, str], int] = {}
        self._settled: set[tuple[str, str, str, int]] = set()
        self._copies: dict[tuple[str, str], int] = {}
        """By party and branch: copies of an INVITE that came since the last response to it."""

    def look(self, seen: Seen) -> Iterator[str]:
        if seen.is_board:
            return
        if seen.method == "INVITE" and seen.status == 0 and not seen.is_out:
            invite = (seen.party, seen.branch)
            self._copies[invite] = self._copies.get(invite, -1) + 1
        elif seen.method == "PRACK" and seen.status == 0:
            yield from self._prack(seen)
        elif seen.method == "PRACK" and seen.status in {401, 407} and not seen.is_out:
            # Asked who it is, a caller says it once more with credentials (RFC 3261 §22.2).
            self._pracks = {key: one for key, one in self._pracks.items() if one != seen.branch}
        elif seen.method == "INVITE" and seen.status > 0:
            yield from self._response(seen)

    def _prack(self, seen: Seen) -> Iterator[str]:
        number = int((seen.message.header("RAck") or "0").split()[0])
        key = (seen.party, seen.call_id, seen.to_tag, number)
        if not seen.is_out:
            self._settled.add(key)
        elif key not in self._heard:
            yield "acknowledged a provisional response that did not come"
        elif self._pracks.setdefault(key, seen.branch) != seen.branch:
            yield "acknowledged a provisional response twice"

    def _response(self, seen: Seen) -> Iterator[str]:
        number = seen.message.header("RSeq")
        is_reliable = 100 < seen.status < 200 and number is not None
        key = (seen.party, seen.call_id, seen.to_tag, int(number or "0"))
        if not seen.is_out:
            if is_reliable:
                self._heard.add(key)
            return
        invite = (seen.party, seen.branch)
        copies = self._copies.get(invite, 0)
        is_settled = is_reliable and key in self._settled
        # Every copy asks for one response; one that came before a PRACK does not excuse more.
        self._copies[invite] = max(copies - 1, 0) if is_settled else 0
        if is_settled and copies == 0:
            yield "repeated a provisional response after its PRACK"
        if is_reliable:
            yield from self._numbered(key)

    def _numbered(self, key: tuple[str, str, str, int]) -> Iterator[str]:
        dialog, number = key[:3], key[3]
        if number not in (newest := self._newest.get(dialog, number), newest + 1):
            yield f"went from RSeq {newest} to {number}"
        self._newest[dialog] = number


RULES = (Form, Silence, Timers, Sequence, Acknowledgement, EndedDialogs, Offers, Reliable)
FORGOTTEN = (EndedDialogs, Offers, Reliable)
"""Rules that a party which forgot a dialog, by a restart or a fault of its own, cannot keep."""


class Judge:
    """Looks at messages one after the other, by all rules.

    Args:
        shape: What weather they go through.
        is_forgetful: Whether a party has forgotten dialogs.
    """

    def __init__(self, shape: Shape, *, is_forgetful: bool = False) -> None:
        self._is_forged = shape.faults.corrupt > 0.0
        self._rules: list[Rule] = [
            rule(shape) for rule in RULES if not (is_forgetful and rule in FORGOTTEN)
        ]

    def look(self, at: float, party: str, direction: str, data: bytes) -> Iterator[str]:
        """Say what is wrong with the next message."""
        is_out = direction == "out"
        try:
            message = Message.parse(data)
        except ParseError as error:
            if not self._is_forged or (is_out and party not in BOARDS):
                yield f"{at} {party} {direction} does not parse ({error}): {data!r}"
            return
        if self._is_forged:
            return  # nobody can tell who sent what, and a proxy passes on what it got
        seen = Seen(at, party, is_out, data, message, *_facts(message))
        for rule in self._rules:
            for fault in rule.look(seen):
                yield f"{at} {party} {fault}: {data!r}"

    def end(self) -> Iterator[str]:
        """Say what is missing at the end."""
        for rule in self._rules:
            if isinstance(rule, Acknowledgement):
                yield from rule.end()


def judge_messages(outcome: Outcome) -> Iterator[str]:
    """Say what is wrong with the messages of a run."""
    shape = outcome.shape
    judge = Judge(shape, is_forgetful=bool(shape.restarts or shape.panics))
    for message in outcome.trace.messages:
        yield from judge.look(*message)
    yield from judge.end()


def _facts(message: Message) -> tuple[str, int, str, str, str, str, int]:
    method, status, call_id, from_tag, to_tag, branch, _, cseq = message.key()
    return method, status, call_id, from_tag, to_tag, branch, cseq

"""Somebody's subscription at us: its answer, its NOTIFYs, its end (RFC 6665 §4.2)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox import _native
from trivox.sip.capabilities import ALLOW, SUPPORTED
from trivox.sip.dialog import Dialog
from trivox.sip.digest import CHALLENGE_HEADER, Authorizer
from trivox.sip.event_headers import EventName, read_event_untrusted, seconds_untrusted
from trivox.sip.invite_leg import forget
from trivox.sip.outputs import Forget, SendRequest, SendResponse
from trivox.sip.subscription_table import (
    NOTIFIER_TABLE,
    NotifierAction,
    NotifierEvent,
    NotifierState,
)

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.sip.identity import LocalIdentity
    from trivox.sip.outputs import Headers

USUAL_EXPIRES: Final = 3600
"""Seconds a subscription lasts that asks for no time of its own."""
_REFER: Final = EventName("refer")
_REASONS: Final = {200: "OK", 403: "Forbidden", 489: "Bad Event", 603: "Decline"}


@final
@dataclass(frozen=True, slots=True)
class Publication:
    """The body of a NOTIFY; empty where nothing is to be told."""

    body: bytes = b""
    content_type: str = ""

    @property
    def etag(self) -> str:
        """The entity-tag: another for each other state (RFC 5839 §6.2)."""
        octets = self.content_type.encode("utf-8", "surrogateescape") + b"\0" + self.body
        return hashlib.blake2b(octets, digest_size=8).hexdigest()

    def is_known_as(self, known: str) -> bool:
        """Whether a subscriber that sent this in Suppress-If-Match has it already (§5.3)."""
        return known in ("*", self.etag)


@final
@dataclass(frozen=True, slots=True)
class NotifierChanged:
    """The subscription is in a new state; `reason` says why it is over."""

    state: NotifierState
    reason: str


NotifierOutput = SendRequest | SendResponse | Forget | NotifierChanged
Outputs = tuple[NotifierOutput, ...]


@final
@dataclass(slots=True)
class _Given:
    now: float
    tx: int = 0
    status: int = 200
    reason: str = ""
    retry_after: float | None = None


@final
class Notifier:
    """Serve one subscription. Sans-I/O.

    Outputs are to be carried out in order, and the transaction of a `SendRequest` is to be reported
    with `sent` at once. Then sleep until `next_deadline()` and call `handle_timeout`. One NOTIFY is
    out at a time; what changes meanwhile is told by the next, the newest only.
    """

    def __init__(
        self,
        request: Message,
        tx: int,
        *,
        identity: LocalIdentity,
        local_tag: str,
        cnonce: str,
        most_expires: int = USUAL_EXPIRES,
    ) -> None:
        """Take the SUBSCRIBE, or the REFER that makes a subscription beside (RFC 7647 §4).

        Args:
            request: The SUBSCRIBE, valid, with an Event and without To tag; or the REFER.
            tx: Its server transaction.
            identity: Contact and credentials of our NOTIFYs.
            local_tag: A fresh tag.
            cnonce: A fresh token nobody has seen, for digest answers.
            most_expires: Seconds granted at most.
        """
        self._is_referred = request.method == "REFER"
        event = _REFER if self._is_referred else read_event_untrusted(request)
        assert event is not None, "the owner has looked at the Event"
        self.event: Final[EventName] = event
        self._identity = identity
        self._cnonce = cnonce
        self._local_tag = local_tag
        self._most_expires = most_expires
        self._dialog = Dialog.from_request(request, local_tag=local_tag, contact=identity.contact)
        self._tx = tx
        self._expires = self._asked(request)
        self._is_fetch = self._expires == 0
        self._state = NotifierState.OFFERED
        self._publication = Publication()
        self._told = Publication()
        self._known = _known_untrusted(request)
        """The state the subscriber has, if it said so and no NOTIFY has gone since."""
        self._notify_tx = 0
        self._is_unsent = False
        self._is_waiting = False
        self._ends_at = 0.0
        self._end: tuple[str, float | None] = ("timeout", None)
        self._authorizer = Authorizer(None, cnonce)

    @property
    def state(self) -> NotifierState:
        """Where it stands."""
        return self._state

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be said or heard."""
        return self._state is NotifierState.OVER and not (self._notify_tx or self._is_unsent)

    def accept(self, publication: Publication, now: float) -> Outputs:
        """Answer 200, or let a pending one in, and tell the state; one that asks once gets that."""
        self._publication = publication
        event = NotifierEvent.FETCH if self._is_fetch else NotifierEvent.ACCEPT
        return self._step(event, _Given(now, self._tx, reason="timeout" if self._is_fetch else ""))

    def defer(self, now: float) -> Outputs:
        """Answer 200 and say that it is not decided yet."""
        return self._step(NotifierEvent.DEFER, _Given(now, self._tx))

    def reject(self, status: int, now: float) -> Outputs:
        """Refuse it; one that stands already is told that it is rejected."""
        return self._step(NotifierEvent.REJECT, _Given(now, self._tx, status, "rejected"))

    def publish(self, publication: Publication, now: float) -> Outputs:
        """Tell a new state."""
        self._publication = publication
        return self._step(NotifierEvent.PUBLISH, _Given(now))

    def terminate(self, reason: str, now: float, retry_after: float | None = None) -> Outputs:
        """End it with a last NOTIFY; one that is not answered yet is refused with 603."""
        given = _Given(now, self._tx, 603, reason, retry_after)
        return self._step(NotifierEvent.TERMINATE, given)

    def conclude(self, publication: Publication, now: float) -> Outputs:
        """Tell the last state there will be, and end it with that (RFC 3515 §2.4.7).

        One that is not answered yet is accepted for that (RFC 7614 §4.7).
        """
        self._publication = publication
        if self._state is NotifierState.OFFERED:
            return self._step(NotifierEvent.FETCH, _Given(now, self._tx, reason="noresource"))
        return self.terminate("noresource", now)

    def sent(self, tx: int) -> None:
        """Take the transaction of the last `SendRequest`."""
        self._notify_tx = tx
        self._is_unsent = False

    def next_deadline(self) -> float | None:
        """Return when to call `handle_timeout`, in seconds of the caller's clock."""
        is_standing = self._state in (NotifierState.PENDING, NotifierState.ACTIVE)
        return self._ends_at if is_standing else None

    def handle_timeout(self, now: float) -> Outputs:
        """End it if nobody has refreshed it in time."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return ()
        return self._step(NotifierEvent.EXPIRED, _Given(now, reason="timeout"))

    def handle(self, event: SipEvent, now: float) -> Outputs:
        """Take an event of the core that carries this subscription's token."""
        kind, _, tx, _, status, message, _, _ = event
        if kind == _native.EVENT_REQUEST and message is not None:
            return self._take_request(tx, message, now)
        if tx != self._notify_tx or not tx:
            return ()
        if kind != _native.EVENT_RESPONSE or message is None:
            return self._take_notified(408, None, now)
        return () if status < 200 else self._take_notified(status, message, now)

    def _take_request(self, tx: int, request: Message, now: float) -> Outputs:
        if request.method != "SUBSCRIBE":
            headers = (("Allow", "SUBSCRIBE"),)
            return (self._response(tx, 405, "Method Not Allowed", headers),)
        if not self._dialog.receive(request):
            return (self._response(tx, 500, "Server Internal Error"),)
        if read_event_untrusted(request) != self.event:
            headers = (("Allow-Events", self.event.package),)
            return (self._response(tx, 489, "Bad Event", headers),)
        self._expires = self._asked(request)
        self._known = _known_untrusted(request)
        return self._step(self._wanted(), _Given(now, tx, reason="timeout"))

    def _wanted(self) -> NotifierEvent:
        """Return what a SUBSCRIBE within the dialog asks for."""
        if not self._expires:
            return NotifierEvent.UNSUBSCRIBE
        is_known = not self._is_waiting and self._visible().is_known_as(self._known)
        return NotifierEvent.REFRESH_KNOWN if is_known else NotifierEvent.REFRESH

    def _visible(self) -> Publication:
        """Return the state as this subscriber may see it."""
        return self._publication if self._state is not NotifierState.PENDING else Publication()

    def _take_notified(self, status: int, message: Message | None, now: float) -> Outputs:
        self._notify_tx = 0
        name = CHALLENGE_HEADER.get(status)
        asked = message.headers(name) if name is not None and message is not None else ()
        if asked and self._authorizer.can_answer(status, asked):
            return (self._send(now),)
        if not 200 <= status < 300:
            self._is_waiting = False
            return self._step(NotifierEvent.LOST, _Given(now, reason="lost"))
        if self._known != "*":
            self._known = ""
        if self._is_waiting:
            return self._notify(now)
        return (forget(self._dialog),) if self._state is NotifierState.OVER else ()

    def _asked(self, request: Message) -> int:
        asked = seconds_untrusted(request.header("Expires"))
        return int(min(USUAL_EXPIRES if asked is None else asked, self._most_expires))

    def _step(self, event: NotifierEvent, given: _Given) -> Outputs:
        """Go where the table says; a pair it does not hold is in NOTIFIER_IGNORED."""
        go = NOTIFIER_TABLE[self._state].get(event)
        if go is None:
            return ()
        before, self._state = self._state, go.state
        if go.state is NotifierState.OVER:
            self._end = (given.reason, given.retry_after)
        outputs: Outputs = ()
        for action in go.actions:
            outputs += self._perform(action, given)
        if before is not go.state:
            outputs += (NotifierChanged(go.state, given.reason),)
        return outputs

    def _perform(self, action: NotifierAction, given: _Given) -> Outputs:
        match action:
            case NotifierAction.SEND_ACCEPTED | NotifierAction.SEND_SUPPRESSED:
                self._ends_at = given.now + self._expires
                expires = ("Expires", str(self._expires))
                contact = ("Contact", self._identity.contact)
                is_told = action is NotifierAction.SEND_ACCEPTED
                status, phrase = (200, "OK") if is_told else (204, "No Notification")
                headers: Headers = (contact, expires, ALLOW, SUPPORTED)
                if self._is_referred and given.tx == self._tx:
                    # How long it lasts is told by its first NOTIFY (RFC 3515 §2.4.4).
                    headers = (contact, ALLOW, SUPPORTED)
                return (self._response(given.tx, status, phrase, headers),)
            case NotifierAction.SEND_REFUSAL:
                phrase = _REASONS.get(given.status, "Refused")
                return (self._response(given.tx, given.status, phrase),)
            case NotifierAction.SEND_481:
                return (self._response(given.tx, 481, "Call/Transaction Does Not Exist"),)
            case NotifierAction.FORGET:
                return (forget(self._dialog),)
            case _:  # NOTIFY
                return self._notify(given.now)

    def _notify(self, now: float) -> Outputs:
        if self._notify_tx or self._is_unsent:
            self._is_waiting = True
            return ()
        self._is_waiting = False
        self._told = self._visible()
        dialog = self._dialog
        hop = dialog.route_set[0] if dialog.route_set else ""
        self._authorizer = Authorizer(
            self._identity.digest, self._cnonce, uri=dialog.remote_target, hop=hop
        )
        return (self._send(now),)

    def _send(self, now: float) -> SendRequest:
        self._is_unsent = True
        # Who has this state already is told no more than that it still stands (RFC 5839 §5.3).
        told = Publication() if self._told.is_known_as(self._known) else self._told
        answer = self._authorizer.headers("NOTIFY", self._dialog.remote_target, told.body)
        return self._dialog.request(
            "NOTIFY",
            headers=(
                ("Event", str(self.event)),
                ("Subscription-State", self._state_header(now)),
                ("SIP-ETag", self._told.etag),
                *answer,
            ),
            body=told.body,
            content_type=told.content_type,
        )

    def _state_header(self, now: float) -> str:
        if self._state is not NotifierState.OVER:
            return f"{self._state};expires={max(0, round(self._ends_at - now))}"
        reason, retry_after = self._end
        wait = "" if retry_after is None else f";retry-after={round(retry_after)}"
        return f"terminated;reason={reason}{wait}"

    def _response(
        self, tx: int, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> SendResponse:
        return SendResponse(tx, status, reason, headers, b"", self._local_tag)


def _known_untrusted(request: Message) -> str:
    """Return the entity-tag of the state that a subscriber has; empty for none (RFC 5839 §5.2)."""
    return (request.header("Suppress-If-Match") or "").strip()

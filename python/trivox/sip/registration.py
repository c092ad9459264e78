"""Keep one Contact registered: refresh, retry, unregister (RFC 3261 §10.2, RFC 5626 §4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox import _native
from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.sip.dialog import MAX_FORWARDS
from trivox.sip.digest import CHALLENGE_HEADER, Authorizer
from trivox.sip.outputs import Headers, SendRequest
from trivox.sip.registration_table import (
    REGISTRATION_TABLE,
    RegistrationAction,
    RegistrationEvent,
    RegistrationState,
)

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.sip.identity import LocalIdentity

__all__ = ["Registration", "RegistrationChanged", "RegistrationState"]

RETRY_BASE: Final = 30.0
"""Seconds of the first back-off (RFC 5626 §4.5, with no other flow up)."""
RETRY_LIMIT: Final = 1800.0
"""Seconds a back-off never exceeds (RFC 5626 §4.5)."""
MAX_RAISES: Final = 2
"""Times one REGISTER follows a Min-Expires; a registrar that raises it again never agrees."""
_MAX_CONTACTS: Final = 64


@final
@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    """The fact that the state changed.

    Attributes:
        state: The new one.
        status: Of the response that caused it; 0 for none (command, Timer F, lost flow).
        reason: Its phrase, or what happened in words.
        expires: Seconds the binding holds, when registered; else 0.
        retry_after: Seconds until the next try, when one is scheduled after a failure; else None.
    """

    state: RegistrationState
    status: int = 0
    reason: str = ""
    expires: float = 0.0
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    now: float
    status: int = 0
    reason: str = ""
    expires: float = 0.0
    retry_after: float = 0.0


Outputs = tuple[SendRequest | RegistrationChanged, ...]


@final
class Registration:
    """Register, refresh at 50 to 90 % of the expiry, try again after failures. Sans-I/O.

    Every command and input returns outputs: carry them out, and report the transaction of a
    `SendRequest` with `sent` at once. Then sleep until `next_deadline()` and call
    `handle_timeout`.
    """

    def __init__(
        self,
        identity: LocalIdentity,
        registrar: str,
        *,
        call_id: str,
        local_tag: str,
        cnonce: str,
        jitter: float,
    ) -> None:
        """Take who registers where.

        Args:
            identity: Its address of record is bound to its Contact.
            registrar: Request-URI, "sip:example.org".
            call_id: A fresh Call-ID, used for all our REGISTERs (RFC 3261 §10.2).
            local_tag: A fresh From tag.
            cnonce: A fresh token nobody has seen, for digest answers.
            jitter: From 0 to 1: spreads refreshes and retries of many accounts; may be changed.
        """
        self.jitter = jitter
        self._identity = identity
        self._registrar = registrar
        self._call_id = call_id
        self._local_tag = local_tag
        self._cnonce = cnonce
        self._state = RegistrationState.UNREGISTERED
        self._authorizer = self._new_authorizer()
        self._cseq = 0
        self._wanted = 3600
        self._expires = 0
        """Of the REGISTER that is out; 0 removes the binding."""
        self._tx = 0
        self._raises = 0
        self._failures = 0
        self._bound_until = float("-inf")
        self._deadline: float | None = None

    @property
    def state(self) -> RegistrationState:
        """Where the registration stands."""
        return self._state

    def register(self, expires: int, now: float) -> Outputs:
        """Register for `expires` seconds, or refresh at once; no effect while a REGISTER is out."""
        self._wanted = expires
        return self._step(RegistrationEvent.REGISTER, _Given(now))

    def unregister(self, now: float) -> Outputs:
        """Remove our binding; a REGISTER that is out is waited for first."""
        return self._step(RegistrationEvent.UNREGISTER, _Given(now))

    def sent(self, tx: int) -> None:
        """Take the client transaction of the last `SendRequest`."""
        self._tx = tx

    def next_deadline(self) -> float | None:
        """Return when to call `handle_timeout`, in seconds of the caller's clock."""
        return self._deadline

    def handle_timeout(self, now: float) -> Outputs:
        """Refresh or try again if it is time."""
        if self._deadline is None or now < self._deadline:
            return ()
        self._deadline = None
        return self._step(RegistrationEvent.DUE, _Given(now))

    def handle(self, event: SipEvent, now: float) -> Outputs:
        """Take an event of the core that carries this registration's token."""
        kind, _, tx, _, status, message, _, _ = event
        if tx != self._tx or self._tx == 0:
            return ()
        match kind:
            case _native.EVENT_TIMEOUT:
                return self._failed(_Given(now, reason="no answer"))
            case _native.EVENT_TRANSPORT_ERROR:
                return self._failed(_Given(now, reason="connection lost"))
            case _native.EVENT_RESPONSE if message is not None and status >= 200:
                return self._response(status, message, now)
            case _:
                return ()

    def _response(self, status: int, message: Message, now: float) -> Outputs:
        self._tx = 0
        given = _Given(now, status, message.reason, retry_after=_seconds(message, "Retry-After"))
        if self._is_superseded():
            return self._step(RegistrationEvent.EARLIER_FINISHED, given)
        if status < 300:
            return self._accepted(message, given)
        name = CHALLENGE_HEADER.get(status)
        if name is not None and self._authorizer.can_answer(status, message.headers(name)):
            return self._step(RegistrationEvent.CHALLENGED, given)
        least = _seconds(message, "Min-Expires")
        if status == 423 and least > self._expires > 0 and self._raises < MAX_RAISES:
            self._raises += 1
            self._expires = self._wanted = int(least)
            return self._step(RegistrationEvent.TOO_BRIEF, given)
        if status in (408, 480) or 500 <= status < 600:
            return self._failed(given)
        return self._step(RegistrationEvent.REFUSED, given)

    def _accepted(self, message: Message, given: _Given) -> Outputs:
        expires = self._granted(message)
        if self._expires > 0 and expires <= 0:
            return self._failed(given)
        granted = _Given(given.now, given.status, given.reason, expires)
        return self._step(RegistrationEvent.ACCEPTED, granted)

    def _is_superseded(self) -> bool:
        return self._state is RegistrationState.UNREGISTERING and self._expires > 0

    def _failed(self, given: _Given) -> Outputs:
        self._tx = 0
        if self._is_superseded():
            return self._step(RegistrationEvent.EARLIER_FINISHED, given)
        next_try = given.now + self._back_off(given)
        is_bound = self._state is RegistrationState.REFRESHING and next_try < self._bound_until
        event = RegistrationEvent.FAILED_WHILE_BOUND if is_bound else RegistrationEvent.FAILED
        return self._step(event, given)

    def _back_off(self, given: _Given) -> float:
        wait = min(RETRY_LIMIT, RETRY_BASE * 2.0 ** min(self._failures, 16))
        return max(wait * (0.5 + 0.5 * self.jitter), given.retry_after)

    def _granted(self, message: Message) -> float:
        """Return the expiry of our own binding in a 200 (RFC 3261 §10.2.4)."""
        own = _read_contact_untrusted(self._identity.contact)
        found = [_read_contact_untrusted(v) for v in message.values("Contact")[:_MAX_CONTACTS]]
        contacts = [contact for contact in found if contact is not None]
        mine = [contact for contact in contacts if own is not None and contact[0] == own[0]]
        # A registrar behind NAT may have rewritten it: a sole binding is ours all the same.
        for _, expires in mine or contacts[: len(contacts) == 1]:
            if expires is not None:
                return expires
        return _seconds(message, "Expires") or float(self._expires)

    def _step(self, event: RegistrationEvent, given: _Given) -> Outputs:
        """Go where the table says; a pair it does not hold is in REGISTRATION_IGNORED."""
        go = REGISTRATION_TABLE[self._state].get(event)
        if go is None:
            return ()
        before, self._state = self._state, go.state
        sent = tuple(output for action in go.actions for output in self._perform(action, given))
        if before is go.state:
            return sent
        return (*sent, self._change(event, given))

    def _change(self, event: RegistrationEvent, given: _Given) -> RegistrationChanged:
        is_retried = event in (RegistrationEvent.FAILED, RegistrationEvent.FAILED_WHILE_BOUND)
        return RegistrationChanged(
            self._state,
            given.status,
            given.reason,
            given.expires,
            self._deadline - given.now if is_retried and self._deadline is not None else None,
        )

    def _perform(self, action: RegistrationAction, given: _Given) -> tuple[SendRequest, ...]:
        match action:
            case RegistrationAction.SEND_REGISTER:
                return (self._start(self._wanted),)
            case RegistrationAction.SEND_UNREGISTER:
                return (self._start(0),)
            case RegistrationAction.SEND_AGAIN:
                return (self._send(),)
            case RegistrationAction.SCHEDULE_REFRESH:
                self._failures = 0
                self._bound_until = given.now + given.expires
                self._deadline = given.now + given.expires * (0.5 + 0.4 * self.jitter)
            case RegistrationAction.SCHEDULE_RETRY:
                self._deadline = given.now + self._back_off(given)
                self._failures += 1
            case _:  # CLEAR
                self._deadline = None
                self._failures = 0
        return ()

    def _start(self, expires: int) -> SendRequest:
        self._deadline = None
        self._expires = expires
        self._raises = 0
        self._authorizer = self._new_authorizer()
        return self._send()

    def _new_authorizer(self) -> Authorizer:
        routes = self._identity.routes
        return Authorizer(
            self._identity.digest,
            self._cnonce,
            uri=self._registrar,
            hop=routes[0] if routes else "",
            is_outside=True,
        )

    def _send(self) -> SendRequest:
        identity = self._identity
        self._cseq += 1
        agent = (("User-Agent", identity.user_agent),) if identity.user_agent else ()
        headers: Headers = (
            *(("Route", route) for route in identity.routes),
            MAX_FORWARDS,
            ("From", f"{identity.address};tag={self._local_tag}"),
            ("To", identity.address),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", identity.contact),
            ("Expires", str(self._expires)),
            *agent,
            *self._authorizer.headers("REGISTER", self._registrar, b""),
        )
        return SendRequest("REGISTER", self._registrar, headers, b"", identity.routes)


def _seconds(message: Message, name: str) -> float:
    """Return the leading number of a delta-seconds header; 0 when there is none."""
    text = message.header(name) or ""
    digits = text.strip().partition(";")[0].partition("(")[0].strip()
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= 10
    return float(digits) if is_number else 0.0


def _read_contact_untrusted(value: str) -> tuple[Uri, float | None] | None:
    """Return URI and expires of a Contact; None for one that cannot be read."""
    try:
        contact = NameAddr.parse(value)
        uri = Uri.parse(contact.uri)
    except ParseError:
        return None
    expires = contact.parameters.get("expires") or ""
    is_number = expires.isascii() and expires.isdigit() and len(expires) <= 10
    return uri, float(expires) if is_number else None

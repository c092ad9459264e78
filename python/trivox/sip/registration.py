"""Keep one Contact registered: refresh, retry, unregister (RFC 3261 §10.2, RFC 5626 §4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox import _native
from trivox._native import NameAddr, Uri
from trivox.errors import ParseError
from trivox.sip.dialog import MAX_FORWARDS
from trivox.sip.digest import CHALLENGE_HEADER, Authorizer
from trivox.sip.event_headers import seconds_untrusted
from trivox.sip.outputs import Headers, SendRequest
from trivox.sip.registration_table import (
    REGISTRATION_TABLE,
    RegistrationAction,
    RegistrationEvent,
    RegistrationState,
    may_pass,
)

if TYPE_CHECKING:
    from trivox._native import Message, SipEvent
    from trivox.sip.identity import LocalIdentity

__all__ = ["Registration", "RegistrationChanged", "RegistrationState"]

RETRY_BASE: Final = 30.0
"""Seconds of the first back-off (RFC 5626 §4.5, with no other flow up)."""
RETRY_BASE_OF_SPARE: Final = 90.0
"""The same while another flow of the account is up."""
RETRY_LIMIT: Final = 1800.0
"""Seconds a back-off never exceeds (RFC 5626 §4.5)."""
HOUR: Final = 3600.0
"""No registrar may insist on a longer binding (RFC 3261 §10.3 step 7) or a longer wait."""
MAX_RAISES: Final = 2
"""Times one REGISTER follows a Min-Expires; a registrar that raises it again never agrees."""
_MAX_CONTACTS: Final = 64
_MAX_ROUTES: Final = 16


@final
@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    """The fact that the state changed.

    Attributes:
        state: The new one.
        status: Of the response that caused it; 0 for none (command, Timer F, lost flow).
        reason: Its phrase, or what happened in words.
        expires: Seconds the binding holds from now, when registered; else 0.
        retry_after: Seconds until the next try, when one is scheduled after a failure; else None.
        service_route: Route values that our requests are to pass (RFC 3608), when registered.
        gruu: Our public GRUU, a URI for this device (RFC 5627); empty for none.
        temporary_gruu: One that does not tell who we are (RFC 5627 §3.1.2); empty for none.
        is_outbound: Whether the registrar reaches us by this very flow (RFC 5626 §4.2.1).
        flow_timer: Seconds within which the server wants to hear of the flow; 0 when it said none.
    """

    state: RegistrationState
    status: int = 0
    reason: str = ""
    expires: float = 0.0
    retry_after: float | None = None
    service_route: tuple[str, ...] = ()
    gruu: str = ""
    temporary_gruu: str = ""
    is_outbound: bool = False
    flow_timer: float = 0.0


@dataclass(frozen=True, slots=True)
class _Given:
    now: float
    status: int = 0
    reason: str = ""
    expires: float = 0.0
    retry_after: float = 0.0
    message: Message | None = None


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
        instance: str = "",
        reg_id: int = 0,
        gruu: bool = False,
    ) -> None:
        """Take who registers where.

        Args:
            identity: Its address of record is bound to its Contact.
            registrar: Request-URI, "sip:example.org".
            call_id: A fresh Call-ID, used for all our REGISTERs (RFC 3261 §10.2).
            local_tag: A fresh From tag.
            cnonce: A fresh token nobody has seen, for digest answers.
            jitter: From 0 to 1: spreads refreshes and retries of many accounts; may be changed.
            instance: URN of this device, "urn:uuid:…" (RFC 5626 §4.1); empty: no outbound.
            reg_id: Number of this flow among those of the device, from 1.
            gruu: Ask for a URI of this device (RFC 5627 §4.2).
        """
        self.has_other_flow = False
        """Whether another flow of the account is registered: retries are slower then."""
        wanted = ("path", *(("outbound",) if instance else ()), *(("gruu",) if gruu else ()))
        self._supported = ", ".join(wanted)
        self._wants_gruu = gruu
        self._outbound = f';reg-id={reg_id};+sip.instance="<{instance}>"' if instance else ""
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
        self._was_registered = False
        """Whether what we ask for was granted before, since we began to ask."""
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

    def move(self, identity: LocalIdentity) -> None:
        """Register by another flow from the next REGISTER on: its Contact and routes."""
        self._identity = identity

    def flow_lost(self, now: float) -> Outputs:
        """Take that the flow of the binding is gone: it is registered anew after a while."""
        return self._step(RegistrationEvent.FLOW_LOST, _Given(now, reason="connection lost"))

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
        if status == 423 and HOUR >= least > self._expires > 0 and self._raises < MAX_RAISES:
            self._raises += 1
            self._expires = self._wanted = int(least)
            return self._step(RegistrationEvent.TOO_BRIEF, given)
        if may_pass(status, was_registered=self._was_registered):
            return self._failed(given)
        return self._step(RegistrationEvent.REFUSED, given)

    def _accepted(self, message: Message, given: _Given) -> Outputs:
        expires = min(self._granted(message), max(HOUR, float(self._expires)))
        if self._expires > 0 and expires <= 0:
            return self._failed(given)
        granted = _Given(given.now, given.status, given.reason, expires, message=message)
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
        base = RETRY_BASE_OF_SPARE if self.has_other_flow else RETRY_BASE
        wait = min(RETRY_LIMIT, base * 2.0 ** min(self._failures, 16))
        return max(wait * (0.5 + 0.5 * self.jitter), min(given.retry_after, HOUR))

    def _granted(self, message: Message) -> float:
        """Return the expiry of our own binding in a 200 (RFC 3261 §10.2.4)."""
        for contact in self._own_contacts(message):
            if contact.expires is not None:
                return contact.expires
        return _seconds(message, "Expires") or float(self._expires)

    def _own_contacts(self, message: Message) -> list[_Contact]:
        own = _read_contact_untrusted(self._identity.contact)
        found = [_read_contact_untrusted(v) for v in message.values("Contact")[:_MAX_CONTACTS]]
        contacts = [contact for contact in found if contact is not None]
        mine = [contact for contact in contacts if own is not None and contact.uri == own.uri]
        # A registrar behind NAT may have rewritten it: a sole binding is ours all the same.
        return mine or contacts[: len(contacts) == 1]

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
        if event is RegistrationEvent.ACCEPTED and given.message is not None and given.expires:
            return self._registered(given, given.message)
        is_retried = event in (
            RegistrationEvent.FAILED,
            RegistrationEvent.FAILED_WHILE_BOUND,
            RegistrationEvent.FLOW_LOST,
        )
        is_bound = event is RegistrationEvent.FAILED_WHILE_BOUND
        return RegistrationChanged(
            self._state,
            given.status,
            given.reason,
            self._bound_until - given.now if is_bound else given.expires,
            self._deadline - given.now if is_retried and self._deadline is not None else None,
        )

    def _registered(self, given: _Given, message: Message) -> RegistrationChanged:
        """Return what a 200 grants beside the time."""
        is_outbound = any(tag.lower() == "outbound" for tag in message.values("Require"))
        public, temporary = self._gruus(message)
        return RegistrationChanged(
            self._state,
            given.status,
            given.reason,
            given.expires,
            service_route=tuple(message.values("Service-Route")[:_MAX_ROUTES]),
            gruu=public,
            temporary_gruu=temporary,
            is_outbound=bool(self._outbound) and is_outbound,
            flow_timer=_seconds(message, "Flow-Timer"),
        )

    def _gruus(self, message: Message) -> tuple[str, str]:
        """Return our public and our temporary GRUU."""
        own = self._own_contacts(message) if self._wants_gruu else []
        return next(((one.gruu, one.temporary_gruu) for one in own if one.gruu), ("", ""))

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
                self._was_registered = True
                self._bound_until = given.now + given.expires
                self._deadline = given.now + given.expires * (0.5 + 0.4 * self.jitter)
            case RegistrationAction.SCHEDULE_RETRY:
                self._deadline = given.now + self._back_off(given)
                self._failures += 1
            case _:  # CLEAR
                self._deadline = None
                self._failures = 0
                self._was_registered = False
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
            ("Contact", identity.contact + self._outbound),
            ("Supported", self._supported),
            ("Expires", str(self._expires)),
            *agent,
            *self._authorizer.headers("REGISTER", self._registrar, b""),
        )
        return SendRequest("REGISTER", self._registrar, headers, b"", identity.routes)


def _seconds(message: Message, name: str) -> float:
    """Return the leading number of a delta-seconds header; 0 when there is none."""
    return seconds_untrusted(message.header(name)) or 0.0


@dataclass(frozen=True, slots=True)
class _Contact:
    uri: Uri
    expires: float | None
    gruu: str
    temporary_gruu: str


def _read_contact_untrusted(value: str) -> _Contact | None:
    """Return what a Contact says; None for one that cannot be read."""
    try:
        contact = NameAddr.parse(value)
        uri = Uri.parse(contact.uri)
    except ParseError:
        return None
    expires = contact.parameters.get("expires") or ""
    is_number = expires.isascii() and expires.isdigit() and len(expires) <= 10
    gruu = _gruu_untrusted(contact.parameters.get("pub-gruu") or "")
    temporary = _gruu_untrusted(contact.parameters.get("temp-gruu") or "")
    return _Contact(uri, float(expires) if is_number else None, gruu, temporary)


def _gruu_untrusted(text: str) -> str:
    """Return a GRUU that may stand in our Contact; empty for anything else (RFC 5627 §4.3)."""
    try:
        uri = Uri.parse(text)
    except ParseError:
        return ""
    is_plain = text.isprintable() and not set(text) & set('<>" ')
    return text if is_plain and uri.scheme in ("sip", "sips") and "gr" in uri.parameters else ""

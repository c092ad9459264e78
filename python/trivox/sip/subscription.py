"""One subscription of ours in one dialog: SUBSCRIBE, refresh, NOTIFY, end (RFC 6665 §4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from trivox.sip.capabilities import ALLOW, SUPPORTED
from trivox.sip.dialog import MAX_FORWARDS, Dialog, content
from trivox.sip.digest import CHALLENGE_HEADER, Authorizer
from trivox.sip.event_headers import (
    EventName,
    StateHeader,
    read_event_untrusted,
    seconds_untrusted,
)
from trivox.sip.invite_leg import forget, remember
from trivox.sip.outputs import Forget, Remember, SendRequest
from trivox.sip.subscription_table import (
    SUBSCRIPTION_TABLE,
    SubscriptionAction,
    SubscriptionEvent,
    SubscriptionState,
)

if TYPE_CHECKING:
    from trivox._native import Message
    from trivox.sip.identity import LocalIdentity
    from trivox.sip.outputs import Headers

TIMER_N: Final = 32.0
"""64·T1 in seconds: so long a NOTIFY that is due may take (RFC 6665 §4.1.2.4)."""
_MAX_RAISES: Final = 2
# What to a refresh means that there is no subscription any more (RFC 5057 §5.1, RFC 6665 §4.1.2.2).
_LETHAL: Final = frozenset({404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})
_NOTIFIED: Final = {
    "pending": SubscriptionEvent.NOTIFIED_PENDING,
    "active": SubscriptionEvent.NOTIFIED_ACTIVE,
    "terminated": SubscriptionEvent.NOTIFIED_TERMINATED,
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is subscribed to, and as whom.

    Attributes:
        identity: From, Contact and credentials.
        target: Request-URI, and To.
        event: The package.
        call_id: A fresh Call-ID.
        local_tag: A fresh From tag.
        cnonce: A fresh token nobody has seen, for digest answers.
        jitter: From 0 to 1: spreads refreshes.
        expires: Seconds asked for.
        accept: Types of body; empty: the package's own.
        headers: Go into every SUBSCRIBE.
        body: Of the first SUBSCRIBE, a filter.
        content_type: Its type.
        method: What asks for it: SUBSCRIBE, or REFER, which subscribes to its outcome (RFC 3515).
    """

    identity: LocalIdentity
    target: str
    event: EventName
    call_id: str
    local_tag: str
    cnonce: str
    jitter: float = 0.5
    expires: int = 3600
    accept: tuple[str, ...] = ()
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    method: str = "SUBSCRIBE"


@final
@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """A subscription is in a new state.

    `status` is the response that refused it, 0 when none did; `reason` the notifier's word or what
    happened; `retry_after` seconds, None when nothing was said; `expires` seconds left.
    """

    state: SubscriptionState
    status: int = 0
    reason: str = ""
    retry_after: float | None = None
    expires: float = 0.0


Outputs = tuple[SendRequest | Remember | Forget | SubscriptionChanged, ...]


@final
@dataclass(slots=True)
class _Given:
    now: float
    status: int = 0
    reason: str = ""
    retry_after: float | None = None
    expires: float | None = None


@final
class SubscriptionUsage:
    """Keep one subscription in one dialog. Sans-I/O; its owner sorts out what it is told.

    Outputs are to be carried out at once, and the transaction of a `SendRequest` is to be reported
    with `sent`. Then sleep until `next_deadline()` and call `handle_timeout`.
    """

    __slots__ = (
        "_authorizer",
        "_cseq",
        "_dialog",
        "_ends_at",
        "_etag",
        "_event",
        "_expires",
        "_granted",
        "_is_known",
        "_raises",
        "_refresh_at",
        "_state",
        "_tx",
        "_wish",
    )

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._state = SubscriptionState.IDLE
        self._dialog: Dialog | None = None
        self._is_known = False
        """Whether the core knows the dialog: since its first NOTIFY."""
        self._cseq = 0
        self._tx = 0
        self._raises = 0
        self._etag = ""
        self._event = wish.event
        self._expires = wish.expires
        self._granted: float | None = None
        self._refresh_at: float | None = None
        self._ends_at: float | None = None
        self._authorizer = self._new_authorizer()

    @property
    def state(self) -> SubscriptionState:
        """Where it stands."""
        return self._state

    @property
    def remote_tag(self) -> str:
        """The notifier's tag; empty before it is known."""
        return self._dialog.remote_tag if self._dialog is not None else ""

    @property
    def tx(self) -> int:
        """The transaction of the SUBSCRIBE that is out; 0 for none."""
        return self._tx

    def fork(self, notify: Message) -> SubscriptionUsage:
        """Return the subscription of another notifier that the same SUBSCRIBE reached (§4.4.1)."""
        other = SubscriptionUsage(self._wish)
        other._state = SubscriptionState.WAITING
        other._cseq = self._cseq
        other._expires = self._expires
        other._join(notify)
        return other

    def subscribe(self, now: float) -> Outputs:
        """Send the SUBSCRIBE."""
        return self._step(SubscriptionEvent.SUBSCRIBE, _Given(now))

    def unsubscribe(self, now: float) -> Outputs:
        """End it: now, or as soon as there is a dialog."""
        return self._step(SubscriptionEvent.UNSUBSCRIBE, _Given(now))

    def sent(self, tx: int) -> None:
        """Take the transaction of the last `SendRequest`."""
        self._tx = tx

    def next_deadline(self) -> float | None:
        """Return when to call `handle_timeout`, in seconds of the caller's clock."""
        return min((at for at in (self._refresh_at, self._ends_at) if at is not None), default=None)

    def handle_timeout(self, now: float) -> Outputs:
        """Refresh, or let it end, if it is time."""
        if self._ends_at is not None and now >= self._ends_at:
            self._ends_at = None
            return self._step(SubscriptionEvent.EXPIRED, _Given(now, reason="timeout"))
        if self._refresh_at is not None and now >= self._refresh_at:
            self._refresh_at = None
            return self._step(SubscriptionEvent.DUE, _Given(now))
        return ()

    def handle_failure(self, now: float, *, is_timeout: bool) -> Outputs:
        """Take that the SUBSCRIBE that is out has no response."""
        self._tx = 0
        status = 408 if is_timeout else 503
        reason = "no answer" if is_timeout else "connection lost"
        return self._refused(_Given(now, status, reason))

    def handle_response(self, message: Message, now: float) -> Outputs:
        """Take a final response to the SUBSCRIBE that is out."""
        self._tx = 0
        status = message.status
        retry_after = seconds_untrusted(message.header("Retry-After"))
        given = _Given(now, status, message.reason, retry_after)
        if status < 300:
            given.expires = seconds_untrusted(message.header("Expires"))
            if self._dialog is None:
                self._dialog = Dialog.from_response(
                    message, request_uri=self._wish.target, contact=self._wish.identity.contact
                )
            return self._step(SubscriptionEvent.ACCEPTED, given)
        name = CHALLENGE_HEADER.get(status)
        if name is not None and self._authorizer.can_answer(status, message.headers(name)):
            return self._step(SubscriptionEvent.AGAIN, given)
        least = seconds_untrusted(message.header("Min-Expires")) or 0.0
        if status == 423 and least > self._expires > 0 and self._raises < _MAX_RAISES:
            self._raises += 1
            self._expires = int(least)
            return self._step(SubscriptionEvent.AGAIN, given)
        return self._refused(given)

    def handle_notify(self, notify: Message, header: StateHeader, now: float) -> Outputs | None:
        """Take a NOTIFY that was found good; None for one out of order: to be answered 500."""
        if self._dialog is None:
            self._join(notify)
        elif not self._dialog.receive(notify):
            return None
        self._etag = (notify.header("SIP-ETag") or "").strip()
        # That of a REFER may have an id of the notifier's choice (RFC 3515 §2.4.6).
        self._event = read_event_untrusted(notify) or self._event
        event = _NOTIFIED.get(header.state, SubscriptionEvent.NOTIFIED_ACTIVE)
        given = _Given(now, 0, header.reason, header.retry_after, header.expires)
        return self._made() + self._step(event, given)

    def _refused(self, given: _Given) -> Outputs:
        is_live = self._state in (SubscriptionState.PENDING, SubscriptionState.ACTIVE)
        if is_live and given.status not in _LETHAL:
            return self._step(SubscriptionEvent.REFRESH_FAILED, given)
        return self._step(SubscriptionEvent.REFUSED, given)

    def _join(self, notify: Message) -> None:
        """Make the dialog of a NOTIFY: it may overtake the 2xx (RFC 6665 §4.4.1)."""
        call_id, from_tag, to_tag, from_value, to_value, target, records, cseq = notify.dialog()
        self._dialog = Dialog(
            call_id=call_id,
            local=(to_tag, to_value),
            remote=(from_tag, from_value),
            remote_target=target or self._wish.target,
            route_set=records,
            local_cseq=self._cseq,
            remote_cseq=cseq,
            contact=self._wish.identity.contact,
        )

    def _made(self) -> Outputs:
        """Return what tells the core of the dialog, which a NOTIFY makes and no 2xx (RFC 6665 §4.4.1).

        A 2xx may name another dialog: that of a fork that never notifies.
        """
        if self._is_known or self._dialog is None:
            return ()
        self._is_known = True
        return (remember(self._dialog),)

    def _step(self, event: SubscriptionEvent, given: _Given) -> Outputs:
        """Go where the table says; a pair it does not hold is in SUBSCRIPTION_IGNORED."""
        go = SUBSCRIPTION_TABLE[self._state].get(event)
        if go is None:
            return ()
        before, self._state = self._state, go.state
        outputs: Outputs = ()
        for action in go.actions:
            outputs += self._perform(action, given)
        if before is go.state:
            return outputs
        told = SubscriptionChanged(
            go.state, given.status, given.reason, given.retry_after, self._granted or 0.0
        )
        return (*outputs, told)

    def _perform(self, action: SubscriptionAction, given: _Given) -> Outputs:
        match action:
            case SubscriptionAction.SEND_SUBSCRIBE:
                self._authorizer = self._new_authorizer()
                self._raises = 0
                return (self._send(),)
            case SubscriptionAction.SEND_UNSUBSCRIBE:
                self._expires = 0
                self._authorizer = self._new_authorizer()
                return (self._send(),)
            case SubscriptionAction.SEND_AGAIN:
                return (self._send(),)
            case SubscriptionAction.AWAIT:
                self._refresh_at = None
                self._ends_at = given.now + TIMER_N
            case SubscriptionAction.SCHEDULE:
                self._schedule(given)
            case _:  # FORGET
                self._refresh_at = self._ends_at = None
                return (forget(self._dialog),) if self._dialog is not None else ()
        return ()

    def _schedule(self, given: _Given) -> None:
        if given.expires is None and self._granted is not None:
            return
        granted = given.expires if given.expires is not None else float(self._expires)
        self._granted = granted
        self._ends_at = given.now + granted
        self._refresh_at = given.now + granted * (0.5 + 0.4 * self._wish.jitter)

    def _new_authorizer(self) -> Authorizer:
        identity = self._wish.identity
        hop = identity.routes[0] if identity.routes else ""
        uri = self._wish.target
        if self._dialog is not None:
            uri = self._dialog.remote_target
            hop = self._dialog.route_set[0] if self._dialog.route_set else ""
        return Authorizer(identity.digest, self._wish.cnonce, uri=uri, hop=hop)

    def _send(self) -> SendRequest:
        wish, identity = self._wish, self._wish.identity
        accept = (("Accept", ", ".join(wish.accept)),) if wish.accept else ()
        agent = (("User-Agent", identity.user_agent),) if identity.user_agent else ()
        own: Headers = (*accept, ALLOW, SUPPORTED, *agent)
        event: Headers = (("Event", str(self._event)), ("Expires", str(self._expires)))
        if wish.method == "SUBSCRIBE":
            own = (*event, *own, *wish.headers)
        elif self._dialog is None:
            own += wish.headers
        else:
            own = event + own  # what the REFER said is said
        if self._dialog is not None:
            uri = self._dialog.remote_target
            answer = self._authorizer.headers("SUBSCRIBE", uri, b"")
            # The last NOTIFY of one that ends is wanted, so only a refresh does without (RFC 5839).
            is_known = bool(self._etag and self._expires)
            known: Headers = (("Suppress-If-Match", self._etag),) if is_known else ()
            return self._dialog.request("SUBSCRIBE", headers=own + known + answer)
        self._cseq += 1
        headers: Headers = (
            *(("Route", route) for route in identity.routes),
            MAX_FORWARDS,
            ("From", f"{identity.address};tag={wish.local_tag}"),
            ("To", f"<{wish.target}>"),
            ("Call-ID", wish.call_id),
            ("CSeq", f"{self._cseq} {wish.method}"),
            ("Contact", identity.contact),
            *own,
            *self._authorizer.headers(wish.method, wish.target, wish.body),
            *content(wish.body, wish.content_type),
        )
        return SendRequest(wish.method, wish.target, headers, wish.body, identity.routes)

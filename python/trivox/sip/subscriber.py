"""A subscription and its forks: which dialog each message belongs to (RFC 6665 §4.4.1, §5.4.9)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

from trivox import _native
from trivox.sip.event_headers import StateHeader, read_event_untrusted, read_state_untrusted
from trivox.sip.header_values import without_parameters
from trivox.sip.outputs import Forget, Remember, SendRequest, SendResponse
from trivox.sip.subscription import SubscriptionChanged, SubscriptionUsage, Wish
from trivox.sip.subscription_table import SubscriptionState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trivox._native import Message, SipEvent

MAX_FORKS: Final = 8
"""Notifiers that one SUBSCRIBE may reach; further ones are told 481."""
# The best of several dialogs is what the whole is said to be in.
_ORDER: Final = (
    SubscriptionState.ACTIVE,
    SubscriptionState.PENDING,
    SubscriptionState.WAITING,
    SubscriptionState.SUBSCRIBING,
    SubscriptionState.UNSUBSCRIBING,
    SubscriptionState.LEAVING,
    SubscriptionState.IDLE,
)


@final
@dataclass(frozen=True, slots=True)
class Notified:
    """A NOTIFY, answered 200 already. `from_tag` tells forks apart."""

    message: Message
    header: StateHeader
    from_tag: str


SubscriberOutput = SendRequest | SendResponse | Remember | Forget | Notified | SubscriptionChanged
Outputs = tuple[SubscriberOutput, ...]


@final
class Subscriber:
    """Decide what a subscription says in all its dialogs. Sans-I/O.

    Every command and input returns outputs: carry them out in order, report the transaction of
    each `SendRequest` with `sent` at once, then sleep until `next_deadline()`. The state told is
    that of the whole: the best of its dialogs, TERMINATED when the last is.
    """

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._usages = [SubscriptionUsage(wish)]
        self._unsent: deque[SubscriptionUsage] = deque()
        self._told = SubscriptionState.IDLE

    @property
    def state(self) -> SubscriptionState:
        """The state of the whole."""
        states = {usage.state for usage in self._usages}
        return next((state for state in _ORDER if state in states), SubscriptionState.TERMINATED)

    def subscribe(self, now: float) -> Outputs:
        """Send the SUBSCRIBE."""
        return self._take(self._usages[0], self._usages[0].subscribe(now))

    def unsubscribe(self, now: float) -> Outputs:
        """End it in every dialog."""
        outputs: Outputs = ()
        for usage in tuple(self._usages):
            outputs += self._take(usage, usage.unsubscribe(now))
        return outputs

    def sent(self, tx: int) -> None:
        """Take the transaction of the oldest `SendRequest` not reported yet."""
        self._unsent.popleft().sent(tx)

    def next_deadline(self) -> float | None:
        """Return when to call `handle_timeout`, in seconds of the caller's clock."""
        deadlines = (usage.next_deadline() for usage in self._usages)
        return min((at for at in deadlines if at is not None), default=None)

    def handle_timeout(self, now: float) -> Outputs:
        """Refresh what is due, and let go of what has run out."""
        outputs: Outputs = ()
        for usage in tuple(self._usages):
            outputs += self._take(usage, usage.handle_timeout(now))
        return outputs

    def handle(self, event: SipEvent, now: float) -> Outputs:
        """Take an event of the core that belongs to this subscription."""
        kind, _, tx, method, status, message, _, _ = event
        if kind == _native.EVENT_REQUEST and message is not None:
            if method != "NOTIFY":
                return (self._response(tx, 405, "Method Not Allowed"),)
            return self._take_notify(tx, message, now)
        usage = next((usage for usage in self._usages if tx and usage.tx == tx), None)
        if usage is None:
            return ()
        if kind == _native.EVENT_RESPONSE and message is not None:
            return () if status < 200 else self._take(usage, usage.handle_response(message, now))
        is_timeout = kind == _native.EVENT_TIMEOUT
        return self._take(usage, usage.handle_failure(now, is_timeout=is_timeout))

    def _take_notify(self, tx: int, notify: Message, now: float) -> Outputs:
        refusal = self._judge(notify)
        if refusal is not None:
            return (self._response(tx, *refusal),)
        header = read_state_untrusted(notify)
        usage = self._usage_of(notify)
        if header is None:
            return (self._response(tx, 400, "Bad Request"),)
        if usage is None:
            return (self._response(tx, 481, "Call/Transaction Does Not Exist"),)
        outputs = usage.handle_notify(notify, header, now)
        if outputs is None:
            return (self._response(tx, 500, "Server Internal Error"),)
        contact = (("Contact", self._wish.identity.contact),)
        answer = SendResponse(tx, 200, "OK", contact, b"", self._wish.local_tag)
        told = Notified(notify, header, notify.key()[3])
        return (answer, told, *self._take(usage, outputs))

    def _judge(self, notify: Message) -> tuple[int, str] | None:
        """Return how a NOTIFY that is not ours is refused (RFC 6665 §4.1.3)."""
        event = read_event_untrusted(notify)
        if event is None or event.package != self._wish.event.package:
            return 489, "Bad Event"
        if event != self._wish.event and self._wish.method == "SUBSCRIBE":
            return 481, "Call/Transaction Does Not Exist"
        kind = without_parameters(notify.header("Content-Type") or "")
        if notify.body and self._wish.accept and kind not in self._wish.accept:
            return 415, "Unsupported Media Type"
        return None

    def _usage_of(self, notify: Message) -> SubscriptionUsage | None:
        """Return the dialog of a NOTIFY: the first takes the first, others are made for others."""
        tag = notify.key()[3]
        first = self._usages[0] if self._usages else None
        for usage in self._usages:
            if usage.remote_tag == tag:
                return usage
        if first is None or first.state is SubscriptionState.IDLE:
            return None
        if not first.remote_tag:
            return first
        is_ending = first.state in (SubscriptionState.UNSUBSCRIBING, SubscriptionState.LEAVING)
        if is_ending or len(self._usages) >= MAX_FORKS:
            return None
        fork = first.fork(notify)
        self._usages.append(fork)
        return fork

    def _response(self, tx: int, status: int, reason: str) -> SendResponse:
        headers = {
            405: (("Allow", "NOTIFY"),),
            415: (("Accept", ", ".join(self._wish.accept)),),
            489: (("Allow-Events", self._wish.event.package),),
        }
        return SendResponse(tx, status, reason, headers.get(status, ()), b"", self._wish.local_tag)

    def _take(self, usage: SubscriptionUsage, outputs: Iterable[SubscriberOutput]) -> Outputs:
        """Pass on what one dialog returns; its change of state only if the whole changes."""
        taken: list[SubscriberOutput] = []
        for output in outputs:
            if isinstance(output, SendRequest):
                self._unsent.append(usage)
            if not isinstance(output, SubscriptionChanged):
                taken.append(output)
                continue
            if usage.state is SubscriptionState.TERMINATED:
                self._usages.remove(usage)
            if self.state is not self._told:
                self._told = self.state
                taken.append(
                    SubscriptionChanged(
                        self._told,
                        output.status,
                        output.reason,
                        output.retry_after,
                        output.expires,
                    )
                )
        return tuple(taken)
